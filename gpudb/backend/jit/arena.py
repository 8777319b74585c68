"""Memory for matrices that come and go in the same order every time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from mmap import mmap
from threading import Lock
from typing import Any
from weakref import ref

import numpy as np

from gpudb.types import HostArray


@dataclass(slots=True, eq=False)
class _Buffer:
    memory: mmap
    address: int
    user: Any = None
    """Weak reference to the array that lies in it."""

    @property
    def free(self) -> bool:
        """Whether nobody holds that array any more, or a view of it."""
        return self.user is None or self.user() is None


@dataclass(slots=True, eq=False)
class Arena:
    """Hands out memory, and hands it out again once an array that lay there is gone."""

    _buffers: list[_Buffer] = field(default_factory=list)

    def new(self, shape: tuple[int, ...], dtype: Any) -> HostArray:
        """An array, not set."""
        dtype = np.dtype(dtype)
        nbytes = int(np.prod(shape)) * dtype.itemsize
        fitting = [b for b in self._buffers if b.free and len(b.memory) >= nbytes]
        if not fitting:
            fitting = [_new_buffer(max(nbytes, 1))]
            self._buffers += fitting
        buffer = min(fitting, key=lambda b: len(b.memory))
        array: HostArray = np.ndarray(shape, dtype, buffer.memory)
        buffer.user = ref(array)
        return array

    def holds(self, x: HostArray) -> bool:
        """Whether an array lies in the arena."""
        return self._buffer_at(x.ctypes.data) is not None

    def holds_address(self, address: int) -> bool:
        """The same for an address."""
        return self._buffer_at(address) is not None

    def with_rows(self, x: HostArray, rows: int) -> HostArray:
        """What lies where ``x`` does, with so many rows; it does not keep the memory taken."""
        buffer = self._buffer_at(x.ctypes.data)
        assert buffer is not None
        start, shape = x.ctypes.data - buffer.address, (rows, *x.shape[1:])
        return np.ndarray(shape, x.dtype, buffer.memory, start, x.strides)

    def _buffer_at(self, address: int) -> _Buffer | None:
        for buffer in self._buffers:
            if 0 <= address - buffer.address < len(buffer.memory):
                return buffer
        return None

    @property
    def nbytes(self) -> int:
        """Bytes of all its memory."""
        return sum(len(buffer.memory) for buffer in self._buffers)


def _new_buffer(nbytes: int) -> _Buffer:
    # No array of NumPy: a view of a view holds the innermost array, here the one handed out.
    memory = mmap(-1, nbytes)
    return _Buffer(memory, np.ndarray((1,), np.uint8, memory).ctypes.data)


@dataclass(slots=True, eq=False)
class Arenas:
    """As many as there are threads that use one at the same time."""

    _arenas: list[Arena] = field(default_factory=list)
    _free: list[int] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def one(self) -> Iterator[tuple[int, Arena]]:
        """An arena that nobody else uses meanwhile, and its number."""
        with self._lock:
            if not self._free:
                self._free.append(len(self._arenas))
                self._arenas.append(Arena())
            number = self._free.pop()
        try:
            yield number, self._arenas[number]
        finally:
            with self._lock:
                self._free.append(number)
