"""PyTorch's state dicts, as ``torch.save`` writes them; PyTorch is not needed to read them."""

from __future__ import annotations

from itertools import accumulate
from math import prod
from operator import mul
from pathlib import Path
from typing import Any

import numpy as np

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.formats.checked import broken, check_shape, short
from gpudb.models.formats.format import Format, named, only
from gpudb.models.formats.sharded import read_sharded
from gpudb.models.formats.torch_files import read_torch
from gpudb.models.formats.torch_values import Tensor
from gpudb.models.formats.unpickle import SAVE_ALONE
from gpudb.models.formats.weight import FILE_DTYPES, Weight, held
from gpudb.types import HostArray


def read_pytorch(file: Path) -> dict[str, Weight]:
    """The tensors of a state dict, or of the only one in a dict of dicts.

    Tensors that lie row by row in the file are mapped; others (transposed, every second row) are
    copied into that order.

    Raises
    ------
    CheckpointError
        The file is cut short or damaged, or it is not clear which tensors are the weights.
    UnsupportedError
        It holds more than tensors; nothing of that was loaded.
    """
    value, storages = read_torch(file)
    tensors = _state_dict(file, value)
    copies: dict[Tensor, HostArray] = {}
    copied = 0
    weights = {}
    for name, tensor in tensors.items():
        where = f"tensor {short(name)}"
        dtype = FILE_DTYPES[tensor.storage.dtype]
        shape = check_shape(file, where, tensor.shape, dtype.itemsize)
        _check_bounds(file, where, tensor)
        data = storages[tensor.storage.key]
        if _is_in_rows(tensor):
            begin = tensor.offset * dtype.itemsize
            part = data[begin : begin + prod(shape) * dtype.itemsize]
            weights[name] = Weight(name, tensor.storage.dtype, shape, file, part)
            continue
        if tensor not in copies:
            copied += prod(shape) * dtype.itemsize
            _check_copies(file, where, copied)
            elements = data.view(dtype)[tensor.offset :]
            strides = [stride * dtype.itemsize for stride in tensor.strides]
            copies[tensor] = np.lib.stride_tricks.as_strided(elements, shape, strides).copy()
        weights[name] = held(name, tensor.storage.dtype, copies[tensor], file)
    return weights


def _check_bounds(file: Path, where: str, tensor: Tensor) -> None:
    """Check that every element lies in the storage, and that no more are claimed than it has."""
    count, numel = prod(tensor.shape), tensor.storage.numel
    steps = zip(tensor.shape, tensor.strides, strict=True)
    last = tensor.offset + sum((extent - 1) * stride for extent, stride in steps)
    if count and last >= numel:
        raise broken(
            file, f"{where} reaching element {short(last)} of its storage", f"{numel:,} at most"
        )
    if count > numel:
        raise UnsupportedError(
            f"{file}: {where} repeats the {numel:,} elements of its storage to {count:,}; "
            "expected each once. Save it after .contiguous()"
        )


def _check_copies(file: Path, where: str, nbytes: int) -> None:
    """Check that copies take no more memory than the file: they may share storages."""
    if nbytes > file.stat().st_size:
        raise UnsupportedError(
            f"{file}: {where} and others are views of the same numbers in different orders, more "
            "than the file has; expected each once. Save them after .contiguous()"
        )


def _is_in_rows(tensor: Tensor) -> bool:
    """True if the elements lie one after another as in a C array."""
    if 0 in tensor.shape:
        return True
    expected = [*accumulate(tensor.shape[:0:-1], mul, initial=1)][::-1]
    steps = zip(tensor.shape, tensor.strides, expected, strict=False)
    return all(extent == 1 or stride == wanted for extent, stride, wanted in steps)


def _state_dict(file: Path, value: Any) -> dict[str, Tensor]:
    if _is_state_dict(value):
        return dict(value)
    if not isinstance(value, dict):
        raise UnsupportedError(
            f"{file}: found a {type(value).__name__}; expected a dict of tensors. {SAVE_ALONE}"
        )
    inner = [key for key, entry in value.items() if entry and _is_state_dict(entry)]
    loose = [key for key, entry in value.items() if isinstance(entry, Tensor)]
    if len(inner) == 1 and not loose:
        return dict(value[inner[0]])
    if inner:
        raise CheckpointError(
            f"{file}: found tensors under {', '.join(map(short, inner + loose))}; expected one "
            f"dict of tensors. {SAVE_ALONE}"
        )
    others = [short(key) for key, entry in value.items() if not isinstance(entry, Tensor)]
    raise CheckpointError(
        f"{file}: {', '.join(others[:5])} {'is' if len(others) == 1 else 'are'} not tensors; "
        f"expected a dict of tensors. {SAVE_ALONE}"
    )


def _is_state_dict(value: Any) -> bool:
    return isinstance(value, dict) and all(
        type(key) is str and isinstance(entry, Tensor) for key, entry in value.items()
    )


PYTORCH = Format("PyTorch", named("pytorch_model.bin"), read_pytorch)
SHARDED_PYTORCH = Format(
    "sharded PyTorch",
    named("pytorch_model.bin.index.json"),
    lambda index: read_sharded(index, read_pytorch),
)
PYTORCH_STATE_DICT = Format("PyTorch state dict", only(".pt", ".pth"), read_pytorch)
