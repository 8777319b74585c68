"""The two containers of ``torch.save``: a zip file, and before PyTorch 1.6 pickles in a row."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from gpudb.errors import UnsupportedError
from gpudb.models.formats.archive import MAGIC, members, stored
from gpudb.models.formats.checked import broken, map_file, short
from gpudb.models.formats.torch_values import NAMES, Storage, storage
from gpudb.models.formats.unpickle import SAVE_ALONE, unpickle
from gpudb.models.formats.weight import FILE_DTYPES
from gpudb.types import HostArray

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_VERSION = 1001
MOST_PICKLE_BYTES = 64_000_000
"""Ten times what the pickle of the largest encoder takes; tensors lie outside it."""


def read_torch(file: Path) -> tuple[Any, dict[str, HostArray]]:
    """What ``torch.save`` wrote: the pickled value, and the bytes of its storages by key.

    The bytes are views of the mapped file. Raises as :func:`unpickle` does, and CheckpointError if
    container and pickle do not fit together.
    """
    content = map_file(file, least=4)
    if content[:4].tobytes() == MAGIC:
        return _read_zip(file, content)
    return _read_legacy(file, content)


class _Storages:
    """Storages that a pickle refers to, by key."""

    def __init__(self) -> None:
        self.found: dict[str, Storage] = {}

    def add(self, reference: Any) -> Storage:
        new = storage(reference)
        if self.found.setdefault(new.key, new) != new:
            raise ValueError(f"storage {short(new.key)} with two dtypes or sizes")
        return new


def _nbytes(entry: Storage) -> int:
    return entry.numel * FILE_DTYPES[entry.dtype].itemsize


def _read_zip(file: Path, content: HostArray) -> tuple[Any, dict[str, HostArray]]:
    infos = members(file)
    pickles = [name for name in infos if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise broken(file, f"a zip file with {len(pickles)} data.pkl", "one, as torch.save writes")
    folder = pickles[0].removesuffix("data.pkl")
    order = infos.get(folder + "byteorder")
    if order is not None and stored(file, content, order).tobytes() != b"little":
        raise UnsupportedError(
            f"{file}: its numbers are not little-endian; save it on a little-endian machine, or "
            "after torch.serialization.set_default_load_endianness"
        )
    pickled = stored(file, content, infos[pickles[0]])
    _check_pickle_size(file, pickled.size)
    storages = _Storages()
    value = unpickle(io.BytesIO(pickled.tobytes()), file, NAMES, storages.add)
    data = {}
    for key, entry in storages.found.items():
        info = infos.get(f"{folder}data/{key}")
        if info is None:
            raise broken(file, f"no storage {short(key)}", "every storage the pickle refers to")
        data[key] = stored(file, content, info)
        _check_size(file, entry, data[key].size)
    return value, data


def _check_pickle_size(file: Path, size: int) -> None:
    if size > MOST_PICKLE_BYTES:
        raise broken(file, f"a pickle of {size:,} bytes", f"at most {MOST_PICKLE_BYTES:,}")


def _check_size(file: Path, entry: Storage, size: int) -> None:
    if size != _nbytes(entry):
        raise broken(
            file,
            f"storage {short(entry.key)} with {size:,} bytes",
            f"{_nbytes(entry):,} for {short(entry.numel)} elements of {entry.dtype}",
        )


def _read_legacy(file: Path, content: HostArray) -> tuple[Any, dict[str, HostArray]]:
    """Pickles of a magic number, a version, facts of the machine, the value, and storage keys."""
    stream = io.BytesIO(content[:MOST_PICKLE_BYTES].tobytes())
    if unpickle(stream, file, NAMES) != LEGACY_MAGIC:
        raise UnsupportedError(
            f"{file}: found a pickle that torch.save did not write; expected one of its files. "
            f"{SAVE_ALONE}"
        )
    version, machine = unpickle(stream, file, NAMES), unpickle(stream, file, NAMES)
    if version != LEGACY_VERSION or not isinstance(machine, dict):
        raise broken(file, "another version of torch.save's format", f"version {LEGACY_VERSION}")
    if machine.get("little_endian") is not True:
        raise UnsupportedError(f"{file}: its numbers are not little-endian. {SAVE_ALONE}")
    storages = _Storages()
    value = unpickle(stream, file, NAMES, storages.add)
    keys = unpickle(stream, file, NAMES)
    if (
        not isinstance(keys, list)
        or not all(isinstance(key, str) for key in keys)
        or len(keys) != len(set(keys))
        or set(keys) != storages.found.keys()
    ):
        raise broken(file, "other storages than the pickle refers to", "the same")
    position = stream.tell()
    data = {}
    for key in keys:
        entry = storages.found[key]
        begin, nbytes = position + 8, _nbytes(entry)
        if int.from_bytes(content[position:begin].tobytes(), "little") != entry.numel:
            raise broken(
                file, f"storage {short(key)} of another size", f"{short(entry.numel)} elements"
            )
        data[key] = content[begin : begin + nbytes]
        _check_size(file, entry, data[key].size)
        position = begin + nbytes
    return value, data
