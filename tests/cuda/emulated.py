"""A device for launch code that compiles with NVRTC and runs the PTX on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import prod
from typing import Any

import numpy as np

from gpudb.kernels.launch import MAX_BLOCKS, MAX_SHARED_NBYTES, Cuda
from gpudb.kernels.signature import bind
from tests.cuda import nvrtc
from tests.cuda.device_array import POISON, DeviceArray, check_grid
from tests.cuda.ptx import PtxKernel, Traffic, parse, run


class EmulatedArray(DeviceArray):
    """Memory that the emulator reads and writes."""

    def _changed(self, change: Callable[[Any], Any]) -> EmulatedArray:
        return EmulatedArray(change(self._memory))

    def get(self) -> Any:
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

    def asarray(self, x: Any) -> EmulatedArray:
        """A copy of a NumPy array on the device, in its memory layout."""
        if not self.offset:
            return EmulatedArray(np.array(x, order="K", copy=True))
        array = self.empty(x.shape, x.dtype)
        array._memory[...] = x
        return array

    def empty(self, shape: tuple[int, ...], dtype: Any) -> EmulatedArray:
        memory = np.empty(prod(shape) + self.offset, dtype)
        memory.view(np.uint8)[...] = POISON
        return EmulatedArray(memory[self.offset :].reshape(shape))

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> EmulatedArray:
        array = self.empty(shape, dtype)
        array._memory[...] = 0
        return array

    def rows(self, x: Any) -> EmulatedArray:
        memory = x._memory if isinstance(x, EmulatedArray) else np.asarray(x)
        return EmulatedArray(np.ascontiguousarray(memory, np.int64))

    def contiguous(self, x: Any) -> EmulatedArray:
        return x if x._memory.flags.c_contiguous else EmulatedArray(np.ascontiguousarray(x._memory))

    def block_size(self, wanted: int) -> int:
        return self.threads or wanted

    def launch(
        self, function: Cuda, blocks: int, threads: int, args: Sequence[Any], shared: int = 0
    ) -> None:
        bound = bind(function, args)
        if not blocks:
            return
        check_grid(blocks, threads)
        kernel = compiled(function, self.architecture)
        assert kernel.static_shared + shared <= MAX_SHARED_NBYTES, f"{shared} bytes shared"
        memory = [x._memory if isinstance(x, EmulatedArray) else x for x in bound]
        grid = (min(blocks, self.most_blocks),)
        traffic = run(kernel, grid, (threads,), memory, shared, cached=self.cached)
        self.launched.append((function, traffic))


@cache
def compiled(function: Cuda, architecture: int) -> PtxKernel:
    """A function, compiled and read once."""
    return parse(nvrtc.ptx(function.source, architecture))[function.function]
