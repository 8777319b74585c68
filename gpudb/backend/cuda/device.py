"""What the launch code of kernels asks for, done with CuPy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import cupy as cp
import numpy as np

from gpudb.kernels.launch import MAX_BLOCKS, Cuda
from gpudb.kernels.signature import bind

OPTIONS = ("-std=c++17",)
"""Of the compiler, beside those that CuPy adds: ``-ftz=true`` above all."""


class CudaDevice:
    """Launches kernels on the current CuPy stream, see :class:`gpudb.kernels.launch.Device`."""

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """See the protocol."""
        return cp.empty(shape, dtype)

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """See the protocol."""
        return cp.zeros(shape, dtype)

    def rows(self, x: Any) -> Any:
        """See the protocol."""
        return cp.ascontiguousarray(cp.asarray(x, dtype=np.int64))

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


@cache
def compiled(function: Cuda) -> Any:
    """A function compiled for the device; CuPy keeps it on disk as well."""
    module = cp.RawModule(code=function.source, options=OPTIONS)
    return module.get_function(function.function)
