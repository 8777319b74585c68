"""A device for launch code that runs kernels on the host, checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpudb.kernels.launch import MAX_BLOCKS, Cuda
from gpudb.kernels.signature import bind
from tests.cuda.device_array import POISON, DeviceArray, check_grid
from tests.cuda.host import Memory, run


class MarkedArray(DeviceArray):
    """Memory with marks on the bytes that somebody has written.

    Parameters
    ----------
    memory
        The elements.
    written
        An array like it, whose bytes are 1 where somebody has written.
    """

    def __init__(self, memory: Any, written: Any) -> None:
        super().__init__(memory)
        self._written = written

    def _changed(self, change: Callable[[Any], Any]) -> MarkedArray:
        return MarkedArray(change(self._memory), change(self._written))

    def get(self) -> Any:
        """A copy on the host; every element must have been written."""
        missing = np.ascontiguousarray(self._written).reshape(-1).view(np.uint8) == 0
        assert not missing.any(), f"{missing.sum()} bytes of a result were never written"
        return self._memory.copy()

    def contiguous(self) -> MarkedArray:
        """Itself where it is C-contiguous, else a copy."""
        return self if self._memory.flags.c_contiguous else self._changed(np.ascontiguousarray)

    @property
    def buffer(self) -> Memory:
        """What a launch takes."""
        return Memory(self._memory, self._written)


class HostDevice:
    """Implements :class:`gpudb.kernels.launch.Device`.

    Parameters
    ----------
    threads
        Of every block; None: as the launch code wants.
    schedule, seed
        Order of blocks and threads; see :func:`tests.cuda.host.run`.
    most_blocks
        Of a grid, as if it could not be larger: kernels walk on in steps of the grid.
    offset
        Elements in front of every array, which then starts anywhere.
    replace
        What runs instead of a function.
    checked
        See :func:`tests.cuda.host.run`.
    """

    def __init__(
        self,
        threads: int | None = None,
        schedule: str = "ascending",
        seed: int = 0,
        most_blocks: int = MAX_BLOCKS,
        offset: int = 0,
        replace: Callable[[Cuda], Cuda] = lambda function: function,
        checked: bool = True,
    ) -> None:
        self.threads = threads
        self.schedule = schedule
        self.seed = seed
        self.most_blocks = most_blocks
        self.offset = offset
        self.replace = replace
        self.checked = checked

    def asarray(self, x: Any) -> MarkedArray:
        """A copy of a NumPy array on the device, in its memory layout."""
        if not self.offset:
            memory = np.array(x, order="K", copy=True)
            return MarkedArray(memory, _marks(memory, 1))
        array = self.empty(x.shape, x.dtype)
        array._memory[...] = x
        _fill(array._written, 1)
        return array

    def empty(self, shape: tuple[int, ...], dtype: Any) -> MarkedArray:
        count = int(np.prod(shape, dtype=np.int64)) + self.offset
        memory = np.empty(count, dtype)
        memory.view(np.uint8)[...] = POISON
        written = _marks(memory, 0)
        return MarkedArray(*(x[self.offset :].reshape(shape) for x in (memory, written)))

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> MarkedArray:
        array = self.empty(shape, dtype)
        array._memory[...] = 0
        _fill(array._written, 1)
        return array

    def rows(self, x: Any) -> MarkedArray:
        memory = np.array(x.get() if isinstance(x, MarkedArray) else x, np.int64, order="C")
        return MarkedArray(memory, _marks(memory, 1))

    def contiguous(self, x: MarkedArray) -> MarkedArray:
        return x.contiguous()

    def block_size(self, wanted: int) -> int:
        return self.threads or wanted

    def launch(
        self, function: Cuda, blocks: int, threads: int, args: Sequence[Any], shared: int = 0
    ) -> None:
        bound = bind(function, args)
        if not blocks:
            return
        check_grid(blocks, threads)
        run(
            self.replace(function),
            min(blocks, self.most_blocks),
            threads,
            [x.buffer if isinstance(x, MarkedArray) else x for x in bound],
            shared,
            self.schedule,
            self.seed,
            self.checked,
        )


def _marks(memory: Any, value: int) -> Any:
    """An array like ``memory`` with all bytes of that value."""
    marks = np.empty_like(memory)
    _fill(marks, value)
    return marks


def _fill(marks: Any, value: int) -> None:
    """Set all bytes, whatever the dtype and the strides."""
    one = np.frombuffer(bytes([value]) * marks.itemsize, marks.dtype)[0]
    marks[...] = one
