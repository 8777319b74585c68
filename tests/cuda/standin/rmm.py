"""``rmm``: memory resources that count bytes, over the one device."""

from __future__ import annotations

from typing import Any

from tests.cuda.standin import memory, order, pools, streams
from tests.cuda.standin.checked import like

ALIGNMENT = 256
RESOURCES = "rmm.pylibrmm.memory_resource._memory_resource"


def aligned(nbytes: int) -> int:
    """Sizes are rounded up, as rmm does."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


@like(f"{RESOURCES}.DeviceMemoryResource")
class DeviceMemoryResource:
    """Takes bytes from somewhere; addresses are the device's business."""

    def allocate(self, nbytes: int, stream: Any = None) -> int:
        self._take(aligned(nbytes))
        return memory.device.place(nbytes)

    def deallocate(self, ptr: int, nbytes: int, stream: Any = None) -> None:
        memory.device.retire(ptr)
        self._give(aligned(nbytes))

    def _take(self, nbytes: int) -> None:
        raise NotImplementedError

    def _give(self, nbytes: int) -> None:
        raise NotImplementedError


@like(f"{RESOURCES}.CudaMemoryResource")
class CudaMemoryResource(DeviceMemoryResource):
    def __init__(self) -> None:
        pass

    def _take(self, nbytes: int) -> None:
        streams.forbid_malloc()
        try:
            memory.device.reserve(nbytes)
        except MemoryError as error:
            raise out_of_memory(str(error)) from None

    def _give(self, nbytes: int) -> None:
        memory.device.release(nbytes)


@like(f"{RESOURCES}.UpstreamResourceAdaptor")
class UpstreamResourceAdaptor(DeviceMemoryResource):
    """A resource over another one."""

    def __init__(self, upstream_mr: Any, *args: Any, **kwargs: Any) -> None:
        if not isinstance(upstream_mr, DeviceMemoryResource):
            raise TypeError(f"upstream_mr must be a resource, got {type(upstream_mr).__name__}")
        self.upstream_mr = upstream_mr

    def get_upstream(self) -> Any:
        return self.upstream_mr

    def _take(self, nbytes: int) -> None:
        self.upstream_mr._take(nbytes)

    def _give(self, nbytes: int) -> None:
        self.upstream_mr._give(nbytes)


@like(f"{RESOURCES}.PoolMemoryResource")
class PoolMemoryResource(UpstreamResourceAdaptor):
    """Holds on to what it took; fragmentation is not modelled."""

    def __init__(
        self, upstream_mr: Any, initial_pool_size: Any = None, maximum_pool_size: Any = None
    ) -> None:
        super().__init__(upstream_mr)
        for size in (initial_pool_size, maximum_pool_size):
            if not isinstance(size, (int, type(None))):
                raise NotImplementedError("sizes as text are not in the stand-in")
            if size is not None and size % ALIGNMENT:
                raise ValueError(f"{size} is not a multiple of {ALIGNMENT} bytes")
        half = aligned(memory.device.free_nbytes // 2)  # what rmm takes unless told otherwise
        self._size = half if initial_pool_size is None else initial_pool_size
        self._most = maximum_pool_size
        if self._most is not None and self._size > self._most:
            raise ValueError("the initial size is more than the maximum")
        self._used = 0
        self.upstream_mr._take(self._size)

    def pool_size(self) -> int:
        return self._size

    def _take(self, nbytes: int) -> None:
        more = self._used + nbytes - self._size
        if more > 0:
            if self._most is not None and self._size + more > self._most:
                raise out_of_memory("Maximum pool size exceeded")
            self.upstream_mr._take(more)
            self._size += more
        self._used += nbytes

    def _give(self, nbytes: int) -> None:
        self._used -= nbytes


@like(f"{RESOURCES}.LimitingResourceAdaptor")
class LimitingResourceAdaptor(UpstreamResourceAdaptor):
    def __init__(self, upstream_mr: Any, allocation_limit: int) -> None:
        super().__init__(upstream_mr)
        self._limit, self._used = allocation_limit, 0

    def get_allocated_bytes(self) -> int:
        return self._used

    def get_allocation_limit(self) -> int:
        return self._limit

    def _take(self, nbytes: int) -> None:
        if self._used + nbytes > self._limit:
            raise out_of_memory("Exceeded memory limit")
        super()._take(nbytes)
        self._used += nbytes

    def _give(self, nbytes: int) -> None:
        super()._give(nbytes)
        self._used -= nbytes


class Statistics:
    """Bytes and number of allocations: now, at most, altogether."""

    def __init__(self) -> None:
        self.current_bytes = self.current_count = 0
        self.peak_bytes = self.peak_count = 0
        self.total_bytes = self.total_count = 0

    def take(self, nbytes: int) -> None:
        self.current_bytes += nbytes
        self.current_count += 1
        self.total_bytes += nbytes
        self.total_count += 1
        self.peak_bytes = max(self.peak_bytes, self.current_bytes)
        self.peak_count = max(self.peak_count, self.current_count)

    def give(self, nbytes: int) -> None:
        self.current_bytes -= nbytes
        self.current_count -= 1


@like(f"{RESOURCES}.StatisticsResourceAdaptor")
class StatisticsResourceAdaptor(UpstreamResourceAdaptor):
    def __init__(self, upstream_mr: Any) -> None:
        super().__init__(upstream_mr)
        self._counted = Statistics()

    @property
    def allocation_counts(self) -> Statistics:
        return self._counted

    def _take(self, nbytes: int) -> None:
        super()._take(nbytes)
        self._counted.take(nbytes)

    def _give(self, nbytes: int) -> None:
        super()._give(nbytes)
        self._counted.give(nbytes)


@like("rmm.pylibrmm.device_buffer.DeviceBuffer")
class DeviceBuffer:
    """Memory from a resource, given back when nobody holds it."""

    def __init__(self, *, ptr: int = 0, size: int = 0, stream: Any = None, mr: Any = None) -> None:
        if ptr:
            raise NotImplementedError("copying into a buffer is not in the stand-in")
        self.mr = mr or get_current_device_resource()
        self._size = size
        self._ptr = self.mr.allocate(size) if size else 0
        if size:
            allocated_on = (stream or streams.get_current_stream()).ptr
            pools.when_gone(self, _give_back, self.mr, self._ptr, size, allocated_on)

    @property
    def ptr(self) -> int:
        return self._ptr

    @property
    def size(self) -> int:
        return self._size

    @property
    def nbytes(self) -> int:
        return self._size


def _give_back(mr: Any, address: int, nbytes: int, stream: int) -> None:
    order.current.freed(address, stream)
    mr.deallocate(address, nbytes)


def rmm_cupy_allocator(nbytes: int) -> Any:
    """For ``cupy.cuda.set_allocator``."""
    buffer = DeviceBuffer(size=nbytes)
    return pools.MemoryPointer(pools.UnownedMemory(buffer.ptr, nbytes, buffer), 0)


def set_current_device_resource(mr: Any) -> None:
    if not isinstance(mr, DeviceMemoryResource):
        raise TypeError(f"mr must be a resource, got {type(mr).__name__}")
    _current[:] = [mr]


def get_current_device_resource() -> Any:
    return _current[-1]


def available_device_memory() -> tuple[int, int]:
    return memory.device.free_nbytes, memory.device.nbytes


def reset() -> None:
    """As in a new process."""
    _current[:] = [CudaMemoryResource()]


def out_of_memory(why: str) -> MemoryError:
    return MemoryError(f"std::bad_alloc: out_of_memory: {why}")


_current: list[DeviceMemoryResource] = [CudaMemoryResource()]

MR = {
    c.__name__: c
    for c in (
        *(DeviceMemoryResource, UpstreamResourceAdaptor, CudaMemoryResource, PoolMemoryResource),
        *(LimitingResourceAdaptor, StatisticsResourceAdaptor),
        *(set_current_device_resource, get_current_device_resource, available_device_memory),
    )
}
"""Names in ``rmm.mr``."""
