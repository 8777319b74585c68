"""Memory on the GPU: one pool for CuPy and cuDF, and copies to it that overlap with work."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import cupy as cp
import numpy as np
import rmm
from rmm.allocators.cupy import rmm_cupy_allocator

from gpudb.errors import DeviceError
from gpudb.types import HostArray

ALIGNMENT = 256
"""RMM's pools take multiples of this many bytes."""
INITIAL_SHARE = 2
"""A pool starts with one such part of its limit, and grows."""
STAGING_NBYTES = 16 << 20
"""Of one pinned buffer: large enough that a copy runs at the speed of the bus."""
SMALL_NBYTES = 64 << 10
"""Smaller arrays are copied without staging: the driver does so itself."""


@dataclass(slots=True)
class Pool:
    """The memory pool of this process."""

    limit: int = 0
    """Bytes; 0 until it is there."""
    lock: Lock = field(default_factory=Lock)

    def open(self, limit: int | None) -> int:
        """Make the pool, at the first call; the bytes it may take.

        Raises
        ------
        DeviceError
            More is asked for than the pool that is there may take.
        """
        with self.lock:
            if not self.limit:
                wanted = limit or total_nbytes()
                self.limit = max(ALIGNMENT, wanted // ALIGNMENT * ALIGNMENT)
                self._make()
            if limit is not None and limit > self.limit + ALIGNMENT:
                raise DeviceError(
                    f"memory_limit is {limit:,} bytes, but the first database of this process "
                    f"gave the GPU's memory pool {self.limit:,}; open the one that needs most first"
                )
            return self.limit

    def _make(self) -> None:
        first = self.limit // INITIAL_SHARE // ALIGNMENT * ALIGNMENT
        resource = rmm.mr.PoolMemoryResource(
            rmm.mr.CudaMemoryResource(),
            initial_pool_size=min(first, free_nbytes() // INITIAL_SHARE // ALIGNMENT * ALIGNMENT),
            maximum_pool_size=self.limit,
        )
        rmm.mr.set_current_device_resource(resource)
        cp.cuda.set_allocator(rmm_cupy_allocator)


POOL = Pool()


def total_nbytes() -> int:
    """Bytes of memory of the current GPU."""
    return int(cp.cuda.runtime.memGetInfo()[1])


def free_nbytes() -> int:
    """Bytes that nobody has."""
    return int(cp.cuda.runtime.memGetInfo()[0])


def host_copy(x: Any) -> HostArray:
    """An array of CuPy, or of anybody else on the GPU, on the host."""
    return np.asarray(cp.asnumpy(cp.asarray(x)))


class Uploads:
    """Copies to the GPU through pinned memory, on a stream of their own.

    The copy waits for what has been launched so far, because its target may be memory that this
    work still reads; what is launched afterwards waits for the copy. So weights that are read one
    group ahead arrive while the group before is at work.
    """

    def __init__(self) -> None:
        self._stream = cp.cuda.Stream(non_blocking=True)
        self._staging: list[_Staging] = []
        self._turn = 0
        self._lock = Lock()

    def copy(self, x: HostArray) -> Any:
        """A host array, C-contiguous or not -> the same on the device."""
        work = cp.cuda.get_current_stream()
        out = cp.empty(x.shape, x.dtype)
        if x.nbytes < SMALL_NBYTES:
            out.set(np.asarray(x, order="C"), stream=work)
            return out
        flat = np.ascontiguousarray(x).reshape(-1).view(np.uint8)
        with self._lock:
            self._stream.wait_event(work.record())
            for start in range(0, flat.nbytes, STAGING_NBYTES):
                part = flat[start : start + STAGING_NBYTES]
                self._next().send(part, out.data.ptr + start, self._stream)
            work.wait_event(self._stream.record())
        return out

    def _next(self) -> _Staging:
        """The two buffers take turns: one is filled while the other is read."""
        if not self._staging:
            self._staging = [_Staging.of(STAGING_NBYTES) for _ in range(2)]
        self._turn = 1 - self._turn
        return self._staging[self._turn]


@dataclass(slots=True)
class _Staging:
    """A pinned buffer, and when the last copy out of it is done."""

    memory: Any
    view: HostArray
    done: Any = None

    @classmethod
    def of(cls, nbytes: int) -> _Staging:
        memory = cp.cuda.alloc_pinned_memory(nbytes)
        return cls(memory, np.frombuffer(memory, np.uint8, nbytes))

    def send(self, part: HostArray, address: int, stream: Any) -> None:
        if self.done is not None:
            self.done.synchronize()
        self.view[: part.nbytes] = part
        to_device = cp.cuda.runtime.memcpyHostToDevice
        source = self.view.ctypes.data
        cp.cuda.runtime.memcpyAsync(address, source, part.nbytes, to_device, stream.ptr)
        self.done = stream.record()
