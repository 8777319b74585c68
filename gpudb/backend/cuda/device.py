"""What the launch code of kernels asks for, done with CuPy."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import cache
from typing import Any

import cupy as cp
import numpy as np

from gpudb.kernels.launch import MAX_BLOCKS, Cuda
from gpudb.kernels.signature import bind
from gpudb.types import HostArray

OPTIONS = ("-std=c++17",)
"""Of the compiler, beside those that CuPy adds: ``-ftz=true`` above all."""


class CudaDevice:
    """Launches kernels on the current CuPy stream, see :class:`gpudb.kernels.launch.Device`."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], Any] = {}
        """Copies of row numbers, by who owns their memory and which part of it they are."""

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """See the protocol."""
        return cp.empty(shape, dtype)

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """See the protocol."""
        return cp.zeros(shape, dtype)

    def rows(self, x: Any) -> Any:
        """See the protocol. The copy of a read-only host array is kept as long as its memory."""
        owner = _owner(x)
        if owner is None:
            return _uploaded(x)
        key = (id(owner), x.ctypes.data, x.shape, x.strides, x.dtype)
        kept = self._kept.get(key)
        if kept is None:
            kept = _uploaded(x)
            cp.cuda.get_current_stream().synchronize()  # once; then it is there for every stream
            self._kept[key] = kept
            weakref.finalize(owner, self._kept.pop, key, None).atexit = False
        return kept

    def contiguous(self, x: Any) -> Any:
        """See the protocol."""
        return cp.ascontiguousarray(x)

    def block_size(self, wanted: int) -> int:
        """See the protocol."""
        return wanted

    def launch(
        self, function: Cuda, blocks: int, threads: int, args: Sequence[Any], shared: int = 0
    ) -> None:
        """See the protocol."""
        bound = bind(function, args)
        if blocks:
            compiled(function)((min(blocks, MAX_BLOCKS),), (threads,), bound, shared_mem=shared)


def _owner(x: Any) -> HostArray | None:
    """The array that owns the memory of a host array; None where somebody may write to it."""
    if not isinstance(x, np.ndarray) or x.flags.writeable:
        return None
    owner = x if x.base is None else x.base
    return owner if isinstance(owner, np.ndarray) and not owner.flags.writeable else None


def _uploaded(x: Any) -> Any:
    """Whole numbers from anywhere, contiguous, as int64."""
    return cp.ascontiguousarray(cp.asarray(x, dtype=np.int64))


@cache
def compiled(function: Cuda) -> Any:
    """A function compiled for the device; CuPy keeps it on disk as well."""
    module = cp.RawModule(code=function.source, options=OPTIONS)
    return module.get_function(function.function)
