"""TensorFlow checkpoints, and the variables of a SavedModel.

An index says where each variable lies (:mod:`gpudb.models.formats.tensor_bundle`); the bytes are in
``model.ckpt.data-00000-of-00001`` and so on. A SavedModel has the same files in ``variables/``; its
graph is neither read nor run. TensorFlow itself is not needed.
"""

from __future__ import annotations

from pathlib import Path

from gpudb.errors import CheckpointError
from gpudb.models.formats.checked import add_weight, broken, make_weight, map_file, unknown_dtype
from gpudb.models.formats.crc32c import crc32c, masked
from gpudb.models.formats.format import Format
from gpudb.models.formats.protobuf import varint
from gpudb.models.formats.tensor_bundle import BundleEntry, read_bundle
from gpudb.models.formats.tensorflow_objects import GRAPH, variable_names
from gpudb.models.formats.weight import Weight
from gpudb.types import HostArray

TEXT = 7
DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    9: "int64",
    10: "bool",
    14: "bfloat16",
    17: "uint16",
    19: "float16",
    22: "uint32",
    23: "uint64",
}
"""Number of a ``tf.DType`` -> its name."""


def find_tensorflow_checkpoint(folder: Path, names: frozenset[str]) -> Path | None:
    """The index of a checkpoint in ``folder``, or of a SavedModel's variables."""
    indexes = _indexes(names)
    if indexes:
        return folder / indexes[0]
    variables = folder / "variables" / "variables.index"
    return variables if "variables" in names and variables.is_file() else None


def read_tensorflow_checkpoint(index: Path) -> dict[str, Weight]:
    """The variables of a checkpoint, memory-mapped, under the names they had in TensorFlow.

    Raises
    ------
    CheckpointError
        A file is missing, cut or damaged, or several checkpoints lie beside each other.
    UnsupportedError
        A variable was written in slices, or on a big-endian machine.
    """
    _check_alone(index)
    count, entries = read_bundle(index)
    shards = [map_file(_shard_file(index, number, count)) for number in range(count)]
    names = _variable_names(index, entries, shards)
    weights: dict[str, Weight] = {}
    for key, entry in entries.items():
        if entry.dtype == TEXT:  # what savers keep for themselves
            continue
        if entry.dtype not in DTYPES:
            raise unknown_dtype(index, key, entry.dtype, DTYPES)
        file = _shard_file(index, entry.shard, count)
        data = _bytes(index, key, entry, shards)
        add_weight(
            weights, make_weight(file, names.get(key, key), DTYPES[entry.dtype], entry.shape, data)
        )
    return weights


def _indexes(names: frozenset[str]) -> list[str]:
    return sorted(
        name
        for name in names
        if name.endswith(".index")
        and any(other.startswith(f"{name.removesuffix('.index')}.data-") for other in names)
    )


def _check_alone(index: Path) -> None:
    indexes = _indexes(frozenset(entry.name for entry in index.parent.iterdir()))
    if len(indexes) > 1:
        raise CheckpointError(
            f"{index.parent}: found {len(indexes)} TensorFlow checkpoints ({', '.join(indexes)}); "
            "expected one: move the files of the others away"
        )


def _shard_file(index: Path, number: int, count: int) -> Path:
    return index.with_name(f"{index.stem}.data-{number:05}-of-{count:05}")


def _variable_names(
    index: Path, entries: dict[str, BundleEntry], shards: list[HostArray]
) -> dict[str, str]:
    """Key in the checkpoint -> name of the variable, where the checkpoint has such names."""
    if GRAPH not in entries:
        return {}
    text = _bytes(index, GRAPH, entries[GRAPH], shards).tobytes()
    try:
        size, start = varint(text, 0)
        graph = text[start + 4 :]  # behind the checksum of the length
        if len(graph) != size:
            raise ValueError(f"a text of {len(graph):,} bytes instead of {size:,}")
        return variable_names(graph)
    except ValueError as error:
        raise broken(index, f"{GRAPH} with {error}", "the objects that were saved") from error


def _bytes(index: Path, key: str, entry: BundleEntry, shards: list[HostArray]) -> HostArray:
    if not 0 <= entry.shard < len(shards):
        raise broken(index, f"{key!r} in data file {entry.shard}", f"one of {len(shards)}")
    size = shards[entry.shard].size
    if min(entry.offset, entry.nbytes) < 0 or entry.offset + entry.nbytes > size:
        raise broken(
            index,
            f"{key!r} at bytes {entry.offset:,} to {entry.offset + entry.nbytes:,} of data file "
            f"{entry.shard}, which has {size:,}",
            "data files that were written to their end",
        )
    data = shards[entry.shard][entry.offset : entry.offset + entry.nbytes]
    if entry.dtype != TEXT and masked(crc32c(data)) != entry.checksum:
        raise broken(index, f"{key!r} with other bytes than its checksum says", "undamaged files")
    return data


TENSORFLOW_CHECKPOINT = Format(
    "TensorFlow checkpoint",
    find_tensorflow_checkpoint,
    read_tensorflow_checkpoint,
    beside=("saved_model.pb", "fingerprint.pb", "keras_metadata.pb"),
)
