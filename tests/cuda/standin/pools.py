"""Who owns device memory: single allocations, CuPy's pool, others."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.cuda.standin import memory, order, streams
from tests.cuda.standin.checked import like
from tests.cuda.standin.real import CUDARuntimeError, OutOfMemoryError

ROUNDING = 512
"""Sizes in a pool are multiples of this."""

OUT_OF_MEMORY = 2
"""cudaErrorMemoryAllocation."""


def when_gone(owner: Any, free: Callable[..., None], *args: Any) -> None:
    """Call ``free`` when nobody holds the owner, unless the device is another one by then."""
    device = memory.device

    def finish() -> None:
        if memory.device is device:
            free(*args)

    weakref.finalize(owner, finish).atexit = False


def filling(address: int, nbytes: int, byte: int) -> streams.Work:
    """Work that overwrites some bytes."""

    def work() -> None:
        order.writes(memory.bytes_at(address, nbytes))
        memory.device.fill(address, nbytes, byte)

    return work


def cuda_malloc(nbytes: int) -> None:
    """Take memory from the device."""
    streams.forbid_malloc()
    try:
        memory.device.reserve(nbytes)
    except MemoryError:
        raise CUDARuntimeError(OUT_OF_MEMORY) from None


@like("cupy.cuda.Memory")
class Memory:
    """One cudaMalloc of its own."""

    def __init__(self, size: int) -> None:
        self.size, self.ptr, self.device_id = size, 0, 0
        if size:
            cuda_malloc(size)
            self.ptr = memory.device.place(size)
            when_gone(self, _cuda_free, self.ptr, size)


def _cuda_free(address: int, nbytes: int) -> None:
    memory.device.retire(address)
    memory.device.release(nbytes)


@like("cupy.cuda.UnownedMemory")
class UnownedMemory:
    """Memory that somebody else frees."""

    def __init__(self, ptr: int, size: int, owner: Any, device_id: int = -1) -> None:
        if ptr:
            memory.device.find(ptr, size)
        self.ptr, self.size, self.device_id = ptr, size, max(device_id, 0)
        self._owner = owner


@like("cupy.cuda.MemoryPointer")
class MemoryPointer:
    """A place in memory, which it keeps alive."""

    def __init__(self, mem: Any, offset: int) -> None:
        self.mem = mem
        self.ptr = mem.ptr + offset
        self.device_id = 0

    def __int__(self) -> int:
        return self.ptr

    def __add__(self, offset: int) -> Any:
        return MemoryPointer(self.mem, self.ptr - self.mem.ptr + offset)

    def memset_async(self, value: int, size: int, stream: Any = None) -> None:
        streams.submit(filling(self.ptr, size, value), stream)


@dataclass(slots=True)
class Chunk:
    """What a pool took from the device at once. Fragmentation within it is not modelled."""

    nbytes: int
    used: int = 0
    held: Any = None
    """What another allocator gave; None where it came from the device itself."""

    def give_back(self) -> None:
        """To where it came from."""
        if self.held is None:
            memory.device.release(self.nbytes)
        self.held = None


class Chunks:
    """Memory a pool holds, and how much of it is in use."""

    def __init__(self, allocator: Callable[[int], Any] | None) -> None:
        self.all: list[Chunk] = []
        self._allocator = allocator

    @property
    def total(self) -> int:
        return sum(chunk.nbytes for chunk in self.all)

    @property
    def used(self) -> int:
        return sum(chunk.used for chunk in self.all)

    def room_for(self, nbytes: int) -> Chunk | None:
        """The smallest chunk with so much free."""
        fitting = [c for c in self.all if c.nbytes - c.used >= nbytes]
        return min(fitting, key=lambda c: c.nbytes - c.used, default=None)

    def add(self, nbytes: int) -> Chunk:
        """Take more; where the driver records, nothing may be taken."""
        if self._allocator is None:
            cuda_malloc(nbytes)
            self.all.append(Chunk(nbytes))
        else:
            if streams.get_current_stream().is_capturing():
                raise RuntimeError(f"{nbytes} bytes are allocated while the stream is capturing")
            self.all.append(Chunk(nbytes, held=self._allocator(nbytes)))
        return self.all[-1]

    def drop_unused(self) -> None:
        """Give back to the device what is not in use at all."""
        for chunk in self.all:
            if not chunk.used:
                chunk.give_back()
        self.all = [chunk for chunk in self.all if chunk.used]


class PooledMemory:
    """Part of a chunk; goes back to the pool when nobody holds it.

    Only ``size`` bytes may be touched, though the pool counts ``nbytes``. What is taken while a
    stream records is written again by every launch of the graph: it may be used again by whoever
    takes from the pool, but stays memory.
    """

    def __init__(self, chunk: Chunk, size: int, nbytes: int) -> None:
        self.size, self.device_id = size, 0
        self.ptr = memory.device.place(size)
        chunk.used += nbytes
        stream = streams.get_current_stream().ptr
        recorded = streams.get_current_stream().is_capturing()
        when_gone(self, _back_to_pool, chunk, self.ptr, nbytes, stream, recorded)


def _back_to_pool(chunk: Chunk, address: int, nbytes: int, stream: int, recorded: bool) -> None:
    if not recorded:
        order.current.freed(address, stream)
        memory.device.retire(address)
    chunk.used -= nbytes


@like("cupy.cuda.MemoryPool")
class MemoryPool:
    def __init__(self, allocator: Any = None) -> None:
        self._upstream = allocator
        self._chunks = Chunks(allocator)
        self._limit = 0

    def malloc(self, size: int) -> Any:
        if not size:
            return MemoryPointer(Memory(0), 0)
        nbytes = -(-size // ROUNDING) * ROUNDING
        return MemoryPointer(PooledMemory(self._chunk_for(nbytes), size, nbytes), 0)

    def _chunk_for(self, nbytes: int) -> Chunk:
        found = self._chunks.room_for(nbytes)
        if found:
            return found
        if self._limit and self._chunks.total + nbytes > self._limit:
            self._chunks.drop_unused()
        if self._limit and self._chunks.total + nbytes > self._limit:
            raise OutOfMemoryError(nbytes, self._chunks.total, self._limit)
        if self._upstream is None and nbytes > memory.device.free_nbytes:
            self._chunks.drop_unused()
        if self._upstream is None and nbytes > memory.device.free_nbytes:
            raise OutOfMemoryError(nbytes, self._chunks.total, self._limit)
        return self._chunks.add(nbytes)

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        if (size is None) == (fraction is None):
            raise ValueError("size and fraction must be given one at a time")
        self._limit = int(fraction * memory.device.nbytes) if size is None else size

    def get_limit(self) -> int:
        return self._limit

    def used_bytes(self) -> int:
        return self._chunks.used

    def free_bytes(self) -> int:
        return self._chunks.total - self._chunks.used

    def total_bytes(self) -> int:
        return self._chunks.total

    def free_all_blocks(self, stream: Any = None) -> None:
        self._chunks.drop_unused()


def alloc(size: int) -> Any:
    """From the current allocator."""
    return _allocators[-1](size)


def set_allocator(allocator: Callable[[int], Any] | None = None) -> None:
    _allocators[:] = [allocator or _malloc]


def get_allocator() -> Callable[[int], Any]:
    return _allocators[-1]


@contextmanager
def using_allocator(allocator: Callable[[int], Any] | None = None) -> Iterator[None]:
    """Another allocator for a while; in this thread only, which is all there is in a test."""
    _allocators.append(allocator or _malloc)
    try:
        yield
    finally:
        _allocators.pop()


def get_default_memory_pool() -> MemoryPool:
    return _pools[-1]


def reset() -> None:
    """A new default pool, as in a new process."""
    _pools[:] = [MemoryPool()]
    set_allocator(_pools[0].malloc)


def _malloc(size: int) -> Any:
    return MemoryPointer(Memory(size), 0)


_pools: list[MemoryPool] = [MemoryPool()]
_allocators: list[Callable[[int], Any]] = [_pools[0].malloc]
