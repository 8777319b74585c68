"""The index of a TensorFlow checkpoint: where each variable lies.

``model.ckpt.index`` is a table (:mod:`gpudb.models.formats.leveldb_table`) from the name of each
variable to a ``BundleEntryProto``; the empty name has a ``BundleHeaderProto``. Messages:
``tensorflow/core/protobuf/tensor_bundle.proto``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gpudb.errors import UnsupportedError
from gpudb.models.formats.checked import broken
from gpudb.models.formats.leveldb_table import read_table
from gpudb.models.formats.protobuf import fields, signed

HEADER = b""
LITTLE_ENDIAN = 0
MOST_SHARDS = 99_999  # five digits in the names of the data files


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """Where one variable lies: ``nbytes`` from ``offset`` in data file ``shard``."""

    dtype: int
    """Number of its ``tf.DType``."""
    shape: tuple[int, ...]
    shard: int
    offset: int
    nbytes: int
    checksum: int
    """Masked CRC-32C of its bytes."""


def read_bundle(index: Path) -> tuple[int, dict[str, BundleEntry]]:
    """The number of data files, and the entry of each variable.

    Raises
    ------
    CheckpointError
        The file cannot be read, is cut, damaged, or no index.
    UnsupportedError
        A variable was written in slices, or all of it on a big-endian machine.
    """
    table = read_table(index)
    try:
        shards = _shards(index, table.pop(HEADER, None))
        return shards, {
            (name := key.decode("utf-8")): _entry(index, name, value)
            for key, value in table.items()
        }
    except ValueError as error:  # no UTF-8, or no message
        raise broken(index, str(error), "the index of a TensorFlow checkpoint") from error


def _shards(index: Path, header: bytes | None) -> int:
    if header is None:
        raise broken(index, "no header", "an entry without a name that says how many files follow")
    found = dict(fields(header))
    shards, order = found.get(1, 0), found.get(2, LITTLE_ENDIAN)
    if order != LITTLE_ENDIAN:
        raise UnsupportedError(
            f"{index}: was written on a big-endian machine; gpudb reads little-endian checkpoints: "
            "load and save it again on such a machine"
        )
    if not isinstance(shards, int) or not 1 <= shards <= MOST_SHARDS:
        raise broken(index, f"{shards!r} data files", f"a number from 1 to {MOST_SHARDS:,}")
    return shards


def _entry(index: Path, name: str, message: bytes) -> BundleEntry:
    numbers = dict.fromkeys(range(1, 6), 0)
    shape: tuple[int, ...] = ()
    checksum = 0
    for number, value in fields(message):
        match number, value:
            case 2, bytes():
                shape = _shape(value)
            case 6, bytes():
                checksum = int.from_bytes(value, "little")
            case 7, _:
                raise UnsupportedError(
                    f"{index}: variable {name!r} was written in slices (a partitioned variable); "
                    "gpudb reads whole ones: load the checkpoint and save it without a partitioner"
                )
            case _, int():
                numbers[number] = signed(value)
    return BundleEntry(numbers[1], shape, numbers[3], numbers[4], numbers[5], checksum)


def _shape(message: bytes) -> tuple[int, ...]:
    """Extents of a ``TensorShapeProto``."""
    extents = []
    for number, value in fields(message):
        if number == 2 and isinstance(value, bytes):
            size = dict(fields(value)).get(1, 0)
            extents.append(signed(size) if isinstance(size, int) else -1)
    return tuple(extents)
