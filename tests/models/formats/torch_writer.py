"""Files as ``torch.save`` writes them, made without PyTorch; and such as it would never write."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from gpudb.models.formats.torch_files import LEGACY_MAGIC, LEGACY_VERSION
from gpudb.models.formats.torch_values import STORAGES
from gpudb.models.formats.weight import FILE_DTYPES
from gpudb.types import HostArray

KINDS = {dtype: name for name, dtype in STORAGES.items()}


@dataclass(frozen=True)
class Named:
    """A function or class, by name only."""

    name: str


@dataclass(frozen=True)
class Call:
    function: Named
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Outside:
    """A value that lies outside the pickle."""

    key: Any


class _Pickler(pickle._Pickler):  # type: ignore[name-defined]
    dispatch: ClassVar = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def save_named(self, value: Named) -> None:
        module, _, name = value.name.rpartition(".")
        if self.proto >= 4:
            self.save(module)
            self.save(name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())

    def save_call(self, value: Call) -> None:
        self.save(value.function)
        self.save(value.arguments)
        self.write(pickle.REDUCE)

    def save_outside(self, value: Outside) -> None:
        self.save(value.key)
        self.write(pickle.BINPERSID)

    dispatch.update({Named: save_named, Call: save_call, Outside: save_outside})


def pickled(value: Any, protocol: int = 2) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, protocol).dump(value)
    return stream.getvalue()


def storage(key: str, dtype: str, numel: int, *legacy: None) -> Outside:
    return Outside(("storage", Named(KINDS[dtype]), key, "cpu", numel, *legacy))


def tensor(
    held: Outside, offset: int, shape: Sequence[int], strides: Sequence[int] | None = None
) -> Call:
    if strides is None:
        strides = [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]
    hooks = Call(Named("collections.OrderedDict"), ())
    arguments = (held, offset, tuple(shape), tuple(strides), False, hooks)
    return Call(Named("torch._utils._rebuild_tensor_v2"), arguments)


def state_dict(arrays: Mapping[str, tuple[str, HostArray]], *legacy: None) -> dict[str, Call]:
    """Each array, with its dtype, in a storage of its own; keys count from 0."""
    return {
        name: tensor(storage(str(key), dtype, values.size, *legacy), 0, values.shape)
        for key, (name, (dtype, values)) in enumerate(arrays.items())
    }


def write_zip(
    path: Path, value: Any, storages: Sequence[HostArray], protocol: int = 2, **extra: bytes
) -> Path:
    """``value`` may be the bytes of a pickle."""
    content = value if isinstance(value, bytes) else pickled(value, protocol)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", content)
        archive.writestr("m/byteorder", extra.get("byteorder", b"little"))
        for key, data in enumerate(storages):
            archive.writestr(f"m/data/{key}", data.tobytes())
    return path


def write_legacy(path: Path, value: Any, storages: Sequence[HostArray], **parts: Any) -> Path:
    """``parts`` replaces one of the pickles: magic, version, machine or keys."""
    keys = [str(key) for key in range(len(storages))]
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
    pickles = {"magic": LEGACY_MAGIC, "version": LEGACY_VERSION, "machine": machine}
    pickles |= {"value": value, "keys": keys} | parts
    content = b"".join(
        part if isinstance(part, bytes) else pickled(part) for part in pickles.values()
    )
    for data in storages:
        content += struct.pack("<q", data.size) + data.tobytes()
    path.write_bytes(content)
    return path


def random_array(dtype: str, shape: tuple[int, ...], seed: int = 0) -> HostArray:
    """Random bits."""
    nbytes = int(np.prod(shape)) * FILE_DTYPES[dtype].itemsize
    bits = np.random.default_rng(seed).integers(0, 256, nbytes, np.uint8)
    return bits.view(FILE_DTYPES[dtype]).reshape(shape)


NUMBERS = np.arange(12, dtype=np.float32)
HELD = storage("0", "float32", 12)
READ_ONLY = {"a": tensor(HELD, 0, (3, 4))}
"""What most tests write: one tensor, over all of :data:`NUMBERS`."""

WRITERS = pytest.mark.parametrize("write", [write_zip, write_legacy], ids=["zip", "legacy"])
Write = Callable[..., Path]
