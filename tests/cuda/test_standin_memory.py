"""Memory of the stand-in: limits, addresses that lead nowhere, copies, pinned memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.cuda.standin.errors import IllegalAddress


@pytest.fixture
def cp() -> Iterator[Any]:
    pytest.importorskip("cupy")
    from tests.cuda.standin.install import standin

    with standin(device_nbytes=1 << 20) as module:
        yield module


def host(*shape: int) -> Any:
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


def test_pointer_after_free(cp: Any) -> None:
    x = cp.zeros(3, np.float32)
    stale = cp.ndarray(3, np.float32, cp.cuda.MemoryPointer(FakeOwner(x.data.ptr), 0))
    assert (stale.get() == 0).all()
    del x
    with pytest.raises(IllegalAddress):
        stale.get()


def test_freed_memory_is_overwritten(cp: Any) -> None:
    from tests.cuda.standin.array import host as over_the_same_memory

    x = cp.zeros(3, np.uint8)
    seen = over_the_same_memory(x)
    del x
    assert (seen == 0xFB).all()


class FakeOwner:
    """Somebody who kept the address and not the memory."""

    def __init__(self, ptr: int) -> None:
        self.ptr = ptr


def test_more_than_the_device_has(cp: Any) -> None:
    with pytest.raises(cp.cuda.memory.OutOfMemoryError):
        cp.empty(1 << 20, np.float32)


def test_limit_of_a_pool(cp: Any) -> None:
    pool = cp.cuda.MemoryPool()
    pool.set_limit(size=4096)
    cp.cuda.set_allocator(pool.malloc)
    x = cp.empty(512, np.float32)
    y = cp.empty(512, np.float32)
    with pytest.raises(MemoryError, match="4,096 bytes"):
        cp.empty(1, np.float32)
    assert pool.used_bytes() == pool.total_bytes() == 4096
    del x, y
    assert (pool.used_bytes(), pool.free_bytes()) == (0, 4096)
    before = cp.cuda.runtime.memGetInfo()[0]
    pool.free_all_blocks()
    assert cp.cuda.runtime.memGetInfo()[0] == before + 4096


def test_copies_by_address(cp: Any) -> None:
    runtime, stream = cp.cuda.runtime, cp.cuda.Stream(non_blocking=True)
    x, y = host(8), cp.empty(8, np.float32)
    runtime.memcpyAsync(y.data.ptr, x.ctypes.data, 32, runtime.memcpyHostToDevice, stream.ptr)
    back = np.zeros(8, np.float32)
    runtime.memcpyAsync(back.ctypes.data, y.data.ptr, 32, runtime.memcpyDeviceToHost, stream.ptr)
    stream.synchronize()
    assert np.array_equal(back, x)
    with pytest.raises(IllegalAddress):
        runtime.memcpyAsync(y.data.ptr, x.ctypes.data, 36, runtime.memcpyHostToDevice, stream.ptr)
    with pytest.raises(runtime.CUDARuntimeError):
        runtime.memcpyAsync(y.data.ptr, y.data.ptr, 32, runtime.memcpyHostToDevice, stream.ptr)


def test_pinned_memory_is_a_buffer(cp: Any) -> None:
    pinned = cp.cuda.alloc_pinned_memory(32)
    array = np.frombuffer(pinned, np.float32, 8)
    array[...] = host(8)
    assert array.ctypes.data == pinned.ptr
    assert np.array_equal(cp.asarray(array).get(), host(8))


def test_pages_of_others_are_locked(cp: Any) -> None:
    runtime, stream = cp.cuda.runtime, cp.cuda.Stream(non_blocking=True)
    pages, x = host(8), cp.empty(8, np.float32)
    runtime.hostRegister(pages.ctypes.data, pages.nbytes, 0)
    with stream:
        stream.begin_capture()
        x.set(pages)
        graph = stream.end_capture()
    graph.launch(stream)
    assert np.array_equal(x.get(stream=stream), pages)
    with pytest.raises(RuntimeError, match="AlreadyRegistered"):
        runtime.hostRegister(pages.ctypes.data, pages.nbytes, 0)
    runtime.hostUnregister(pages.ctypes.data)
    with pytest.raises(RuntimeError, match="NotRegistered"):
        runtime.hostUnregister(pages.ctypes.data)
