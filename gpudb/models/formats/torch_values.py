"""What a pickle of PyTorch tensors may hold: storages, tensors that view them, and dicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gpudb.models.formats.checked import is_count
from gpudb.models.formats.unpickle import Build, Global, Names, set_items

STORAGES = {
    "torch.DoubleStorage": "float64",
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
}
"""Kinds of storage -> dtype of their elements."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of ``numel`` elements outside the pickle, under ``key``."""

    key: str
    dtype: str
    numel: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """A view of a storage; ``offset`` and ``strides`` count elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def storage(reference: Any) -> Storage:
    """The storage of a persistent id ``("storage", kind, key, device, elements[, None])``.

    Raises
    ------
    ValueError
        It is no such id, or one of a view, which only PyTorch before 0.4 wrote.
    """
    if type(reference) is not tuple or len(reference) not in (5, 6) or reference[0] != "storage":
        raise ValueError("a reference to something that is no storage")
    _, kind, key, _, numel = reference[:5]
    dtype = STORAGES.get(kind.name) if isinstance(kind, Global) else None
    view = reference[5:] not in ((), (None,))
    if dtype is None or type(key) is not str or not is_count(numel) or view:
        raise ValueError("a storage of another form than PyTorch 0.4 and later write")
    return Storage(key, dtype, numel)


def _tensor(arguments: tuple[Any, ...]) -> Tensor:
    if len(arguments) < 4:
        raise ValueError("a tensor without storage, offset, shape and strides")
    held, offset, shape, strides = arguments[:4]
    if (
        not isinstance(held, Storage)
        or not is_count(offset)
        or type(shape) is not tuple
        or type(strides) is not tuple
        or len(shape) != len(strides)
        or not all(map(is_count, (*shape, *strides)))
    ):
        raise ValueError("a tensor whose storage, offset, shape or strides are none")
    return Tensor(held, offset, shape, strides)


def _parameter(arguments: tuple[Any, ...]) -> Tensor:
    if not arguments or not isinstance(arguments[0], Tensor):
        raise ValueError("a parameter that is no tensor")
    return arguments[0]


def _size(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(arguments) != 1 or type(arguments[0]) is not tuple:
        raise ValueError("a torch.Size that is no tuple")
    return arguments[0]


def _dict(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for pairs in arguments:  # Python 2 gave the items at once
        for pair in pairs:
            set_items(made, list(pair))
    return made


_BUILT: dict[str, Build] = {
    "collections.OrderedDict": _dict,
    "torch.Size": _size,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
}

NAMES: Names = {**STORAGES, **_BUILT}
"""All that a pickle of tensors may name."""
