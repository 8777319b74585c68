"""Page-locked host memory, and copies between raw pointers."""

from __future__ import annotations

import ctypes
import weakref
from typing import Any

import numpy as np

from tests.cuda.standin import memory, order, streams
from tests.cuda.standin.checked import like
from tests.cuda.standin.real import CUDARuntimeError, runtime

INVALID_VALUE, ALREADY_REGISTERED, NOT_REGISTERED = 1, 712, 713
"""cudaError…: what the runtime answers."""


class _Pinned:
    """Mixed into a ctypes array: NumPy reads it as a buffer."""

    @property
    def ptr(self) -> int:
        return ctypes.addressof(self)  # type: ignore[arg-type]

    def size(self) -> int:
        return ctypes.sizeof(self)  # type: ignore[arg-type]


def alloc_pinned_memory(size: int) -> Any:
    pinned = type("PinnedMemoryPointer", (_Pinned, ctypes.c_uint8 * size), {})()
    _pinned[pinned.ptr] = size
    weakref.finalize(pinned, _pinned.pop, pinned.ptr).atexit = False
    return pinned


@like("cupy.cuda.PinnedMemoryPool")
class PinnedMemoryPool:
    """Keeps nothing: only whether memory is page-locked matters here."""

    def __init__(self, allocator: Any = None) -> None:
        pass

    def malloc(self, size: int) -> Any:
        return alloc_pinned_memory(size)

    def n_free_blocks(self) -> int:
        return 0

    def free_all_blocks(self) -> None:
        pass


def set_pinned_memory_allocator(allocator: Any = None) -> None:
    """Without effect: every allocator here is the same."""


def host_register(ptr: int, size: int, flags: int) -> None:
    """Lock pages that somebody else allocated: a file mapped into memory, say."""
    if ptr in _pinned:
        raise CUDARuntimeError(ALREADY_REGISTERED)
    _pinned[ptr] = size


def host_unregister(ptr: int) -> None:
    if _pinned.pop(ptr, None) is None:
        raise CUDARuntimeError(NOT_REGISTERED)


def is_pinned(address: int, nbytes: int) -> bool:
    """True where all of it is page-locked."""
    return any(start <= address and address + nbytes <= start + n for start, n in _pinned.items())


def memcpy_async(dst: int, src: int, size: int, kind: int, stream: int) -> None:
    """CudaMemcpyAsync. Pageable host memory must not be copied while the stream captures."""
    if kind not in _ON_DEVICE:
        raise CUDARuntimeError(INVALID_VALUE)
    dst_on_device, src_on_device = _ON_DEVICE[kind]
    target = streams.by_pointer(stream)
    for address, on_device in ((dst, dst_on_device), (src, src_on_device)):
        _bytes_at(address, size, on_device)  # fails here, not when a graph is launched
        if not on_device and not is_pinned(address, size):
            streams.forbid_capture(target)

    def work() -> None:
        if src_on_device:
            order.reads(memory.bytes_at(src, size))
        if dst_on_device:
            order.writes(memory.bytes_at(dst, size))
        _bytes_at(dst, size, dst_on_device)[...] = _bytes_at(src, size, src_on_device)

    streams.submit(work, target)


def _bytes_at(address: int, nbytes: int, on_device: bool) -> Any:
    if on_device:
        return memory.device.view(memory.bytes_at(address, nbytes))
    if memory.device.holds(address):
        raise CUDARuntimeError(INVALID_VALUE)
    return np.frombuffer((ctypes.c_uint8 * nbytes).from_address(address), np.uint8)


_ON_DEVICE = {
    runtime.memcpyHostToDevice: (True, False),
    runtime.memcpyDeviceToHost: (False, True),
    runtime.memcpyDeviceToDevice: (True, True),
}
"""Kind -> whether destination and source are on the device."""

_pinned: dict[int, int] = {}
