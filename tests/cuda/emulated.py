"""A device for launch code that compiles with NVRTC and runs the PTX on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import prod
from typing import Any

import numpy as np

from gpudb.kernels.launch import MAX_BLOCKS, MAX_SHARED_NBYTES, Cuda
from gpudb.kernels.signature import bind
from tests.cuda import nvrtc
from tests.cuda.ptx import PtxKernel, Traffic, parse, run

POISON = 0xFF
"""Bytes of memory that nobody has written: NaN as floats, -1 as whole numbers."""


class DeviceArray:
    """An array on the device: it can be cut and reshaped, and nothing else; NumPy refuses it."""

    __array_ufunc__ = None

    def __init__(self, memory: Any) -> None:
        self._memory = memory

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._memory.shape)

    @property
    def dtype(self) -> Any:
        return self._memory.dtype

    @property
    def strides(self) -> tuple[int, ...]:
        return tuple(self._memory.strides)

    @property
    def ndim(self) -> int:
        return int(self._memory.ndim)

    @property
    def size(self) -> int:
        return int(self._memory.size)

    @property
    def nbytes(self) -> int:
        return int(self._memory.nbytes)

    def __len__(self) -> int:
        return len(self._memory)

    def __getitem__(self, key: Any) -> DeviceArray:
        parts = key if isinstance(key, tuple) else (key,)
        if not all(isinstance(p, (int, slice)) or p is None or p is Ellipsis for p in parts):
            raise TypeError("a device array is cut by slices and whole numbers only")
        return DeviceArray(self._memory[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("a device array is written by kernels only")

    def __iter__(self) -> Any:
        raise TypeError("the elements of a device array are on the device")

    def __bool__(self) -> bool:
        raise TypeError("the elements of a device array are on the device")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("a device array does not become a NumPy array by itself")

    def reshape(self, *shape: Any) -> DeviceArray:
        return DeviceArray(self._memory.reshape(*shape))

    def transpose(self, *axes: Any) -> DeviceArray:
        return DeviceArray(self._memory.transpose(*axes))

    def view(self, dtype: Any) -> DeviceArray:
        return DeviceArray(self._memory.view(dtype))

    def get(self) -> Any:
        """A copy on the host, as CuPy has it."""
        return self._memory.copy()


class EmulatedDevice:
    """Implements :class:`gpudb.kernels.launch.Device`.

    Parameters
    ----------
    threads
        Of every block; None: as the launch code wants.
    architecture
        Compute capability to compile for.
    most_blocks
        Of a grid, as if it could not be larger: kernels walk on in steps of the grid.
    offset
        Elements in front of every array, which then starts anywhere.
    cached
        Count what launches move between memory and a cache.
    """

    def __init__(
        self,
        threads: int | None = None,
        architecture: int = 80,
        most_blocks: int = MAX_BLOCKS,
        offset: int = 0,
        cached: bool = False,
    ) -> None:
        self.threads = threads
        self.architecture = architecture
        self.most_blocks = most_blocks
        self.offset = offset
        self.cached = cached
        self.launched: list[tuple[Cuda, Traffic]] = []

    def asarray(self, x: Any) -> DeviceArray:
        """A copy of a NumPy array on the device, in its memory layout."""
        if not self.offset:
            return DeviceArray(np.array(x, order="K", copy=True))
        array = self.empty(x.shape, x.dtype)
        array._memory[...] = x
        return array

    def empty(self, shape: tuple[int, ...], dtype: Any) -> DeviceArray:
        memory = np.empty(prod(shape) + self.offset, dtype)
        memory.view(np.uint8)[...] = POISON
        return DeviceArray(memory[self.offset :].reshape(shape))

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> DeviceArray:
        array = self.empty(shape, dtype)
        array._memory[...] = 0
        return array

    def rows(self, x: Any) -> DeviceArray:
        memory = x._memory if isinstance(x, DeviceArray) else np.asarray(x)
        return DeviceArray(np.ascontiguousarray(memory, np.int64))

    def read(self, x: Any) -> Any:
        return x.get() if isinstance(x, DeviceArray) else x

    def contiguous(self, x: Any) -> DeviceArray:
        return x if x._memory.flags.c_contiguous else DeviceArray(np.ascontiguousarray(x._memory))

    def block_size(self, wanted: int) -> int:
        return self.threads or wanted

    def launch(
        self, function: Cuda, blocks: int, threads: int, args: Sequence[Any], shared: int = 0
    ) -> None:
        bound = bind(function, args)
        if not blocks:
            return
        assert 0 < threads <= 1024, f"{threads} threads"
        assert threads % 32 == 0, f"{threads} threads are not whole warps"
        assert 0 < blocks <= MAX_BLOCKS, f"{blocks} blocks"
        kernel = compiled(function, self.architecture)
        assert kernel.static_shared + shared <= MAX_SHARED_NBYTES, f"{shared} bytes shared"
        memory = [x._memory if isinstance(x, DeviceArray) else x for x in bound]
        grid = (min(blocks, self.most_blocks),)
        traffic = run(kernel, grid, (threads,), memory, shared, cached=self.cached)
        self.launched.append((function, traffic))


@cache
def compiled(function: Cuda, architecture: int) -> PtxKernel:
    """A function, compiled and read once."""
    return parse(nvrtc.ptx(function.source, architecture))[function.function]
