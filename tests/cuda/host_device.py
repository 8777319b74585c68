"""A device for launch code that runs kernels on the host, checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpudb.kernels.launch import MAX_BLOCKS, Cuda
from gpudb.kernels.signature import bind
from tests.cuda.host import Memory, run

POISON = 0xFF
"""Bytes of memory that nobody has written: NaN as floats, -1 as whole numbers."""


class HostArray:
    """An array on the device: it can be cut and reshaped, and nothing else; NumPy refuses it.

    Parameters
    ----------
    memory
        The elements.
    written
        An array like it, whose bytes are 1 where somebody has written.
    """

    __array_ufunc__ = None

    def __init__(self, memory: Any, written: Any) -> None:
        self._memory = memory
        self._written = written

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

    def __getitem__(self, key: Any) -> HostArray:
        parts = key if isinstance(key, tuple) else (key,)
        if not all(isinstance(p, (int, slice)) or p is None or p is Ellipsis for p in parts):
            raise TypeError("a device array is cut by slices and whole numbers only")
        return self._both(lambda x: x[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("a device array is written by kernels only")

    def __iter__(self) -> Any:
        raise TypeError("the elements of a device array are on the device")

    def __bool__(self) -> bool:
        raise TypeError("the elements of a device array are on the device")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("a device array does not become a NumPy array by itself")

    def reshape(self, *shape: Any) -> HostArray:
        return self._both(lambda x: x.reshape(*shape))

    def transpose(self, *axes: Any) -> HostArray:
        return self._both(lambda x: x.transpose(*axes))

    def view(self, dtype: Any) -> HostArray:
        return self._both(lambda x: x.view(dtype))

    def get(self) -> Any:
        """A copy on the host, as CuPy has it; every element must have been written."""
        missing = np.ascontiguousarray(self._written).reshape(-1).view(np.uint8) == 0
        assert not missing.any(), f"{missing.sum()} bytes of a result were never written"
        return self._memory.copy()

    def contiguous(self) -> HostArray:
        """Itself where it is C-contiguous, else a copy."""
        return self if self._memory.flags.c_contiguous else self._both(np.ascontiguousarray)

    @property
    def buffer(self) -> Memory:
        """What a launch takes."""
        return Memory(self._memory, self._written)

    def _both(self, change: Callable[[Any], Any]) -> HostArray:
        return HostArray(change(self._memory), change(self._written))


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

    def asarray(self, x: Any) -> HostArray:
        """A copy of a NumPy array on the device, in its memory layout."""
        if not self.offset:
            memory = np.array(x, order="K", copy=True)
            return HostArray(memory, _marks(memory, 1))
        array = self.empty(x.shape, x.dtype)
        array._memory[...] = x
        _fill(array._written, 1)
        return array

    def empty(self, shape: tuple[int, ...], dtype: Any) -> HostArray:
        count = int(np.prod(shape, dtype=np.int64)) + self.offset
        memory = np.empty(count, dtype)
        memory.view(np.uint8)[...] = POISON
        written = _marks(memory, 0)
        return HostArray(*(x[self.offset :].reshape(shape) for x in (memory, written)))

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> HostArray:
        array = self.empty(shape, dtype)
        array._memory[...] = 0
        _fill(array._written, 1)
        return array

    def rows(self, x: Any) -> HostArray:
        memory = np.array(x.get() if isinstance(x, HostArray) else x, np.int64, order="C")
        return HostArray(memory, _marks(memory, 1))

    def read(self, x: Any) -> Any:
        return x.get() if isinstance(x, HostArray) else x

    def contiguous(self, x: HostArray) -> HostArray:
        return x.contiguous()

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
        run(
            self.replace(function),
            min(blocks, self.most_blocks),
            threads,
            [x.buffer if isinstance(x, HostArray) else x for x in bound],
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
