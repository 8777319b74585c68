"""Device memory: every allocation by its address, so that a raw pointer can be followed."""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Any

import numpy as np

from tests.cuda.standin.errors import IllegalAddress

ALIGNMENT = 256
"""Of every allocation, as cudaMalloc's."""

UNWRITTEN = 0xFF
"""What new memory is full of: NaN, or -1."""

FREED = 0xFB
"""What freed memory is full of."""

QUARANTINE_NBYTES = 64 << 20
"""Freed memory that is kept from being handed out again: stale pointers lead nowhere."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """Memory from one cudaMalloc."""

    address: int
    bytes: Any
    """NumPy array of uint8."""

    @property
    def end(self) -> int:
        return self.address + self.bytes.nbytes


class DeviceMemory:
    """The memory of the device."""

    def __init__(self, nbytes: int = 1 << 30) -> None:
        self.nbytes = nbytes
        self.used = 0
        """Bytes that were taken with cudaMalloc, by pools too."""
        self._live: dict[int, Allocation] = {}
        self._addresses: list[int] = []
        self._freed: deque[Any] = deque()
        self._freed_nbytes = 0
        self._lock = RLock()

    @property
    def free_nbytes(self) -> int:
        return self.nbytes - self.used

    def reserve(self, nbytes: int) -> None:
        """What cudaMalloc takes from the device; MemoryError where that is not there."""
        if nbytes > self.free_nbytes:
            raise MemoryError(f"{nbytes} bytes asked for, {self.free_nbytes} are free")
        self.used += nbytes

    def release(self, nbytes: int) -> None:
        """What cudaFree gives back to the device."""
        self.used -= nbytes

    def place(self, nbytes: int) -> int:
        """The address of new memory, within what was reserved; a pool calls this as well."""
        raw = np.full(nbytes + ALIGNMENT, UNWRITTEN, np.uint8)
        start = -raw.ctypes.data % ALIGNMENT
        memory = raw[start : start + nbytes]
        address = memory.ctypes.data
        with self._lock:
            self._live[address] = Allocation(address, memory)
            insort(self._addresses, address)
        return address

    def retire(self, address: int) -> None:
        """Forget memory; pointers into it lead nowhere from now on."""
        with self._lock:
            if address not in self._live:
                raise IllegalAddress(f"{address:#x} was freed before, or never allocated")
            memory = self._live.pop(address).bytes
            self._addresses.remove(address)
            memory[...] = FREED
            self._freed.append(memory)
            self._freed_nbytes += memory.nbytes
            while self._freed_nbytes > QUARANTINE_NBYTES:
                self._freed_nbytes -= self._freed.popleft().nbytes

    def find(self, address: int, nbytes: int) -> Allocation:
        """The live allocation that holds these bytes."""
        with self._lock:
            place = bisect_right(self._addresses, address) - 1
            found = self._live[self._addresses[place]] if place >= 0 else None
        if found is None or address >= found.end:
            raise IllegalAddress(f"{address:#x} is not in memory that is allocated now")
        if address + nbytes > found.end:
            raise IllegalAddress(
                f"{nbytes} bytes at {address:#x} end {address + nbytes - found.end} bytes past "
                f"an allocation of {found.bytes.nbytes} bytes"
            )
        return found

    def holds(self, address: int) -> bool:
        """True where the address is in device memory that is allocated now."""
        try:
            self.find(address, 1)
        except IllegalAddress:
            return False
        return True

    def fill(self, address: int, nbytes: int, byte: int) -> None:
        """Overwrite some bytes."""
        self.view(bytes_at(address, nbytes))[...] = byte

    def view(self, span: Span) -> Any:
        """The elements as a NumPy array over the same memory."""
        if not math.prod(span.shape):
            return np.empty(span.shape, span.dtype)
        low, high = span.bounds
        found = self.find(low, high - low)
        return np.ndarray(
            span.shape, span.dtype, found.bytes.data, span.address - found.address, span.strides
        )


@dataclass(frozen=True, slots=True)
class Span:
    """Where the elements of an array are."""

    address: int
    shape: tuple[int, ...]
    dtype: Any
    strides: tuple[int, ...]

    @property
    def bounds(self) -> tuple[int, int]:
        """First byte, and the one after the last."""
        reach = [(n - 1) * step for n, step in zip(self.shape, self.strides, strict=True)]
        low = self.address + sum(step for step in reach if step < 0)
        return low, self.address + sum(step for step in reach if step > 0) + self.dtype.itemsize


def bytes_at(address: int, nbytes: int) -> Span:
    """Some bytes."""
    return Span(address, (nbytes,), np.dtype(np.uint8), (1,))


def contiguous_strides(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Strides in bytes of a C-contiguous array."""
    strides, step = [], itemsize
    for n in reversed(shape):
        strides.append(step)
        step *= max(1, n)
    return tuple(reversed(strides))


device = DeviceMemory()
"""The one device. Its size is set by a test that wants little memory."""
