"""``cupy.cuda.runtime`` and ``Device``: what may be asked about the device."""

from __future__ import annotations

from typing import Any

from tests.cuda.standin import memory, pinned, pools, streams
from tests.cuda.standin.checked import like
from tests.cuda.standin.real import CUDARuntimeError, runtime

COMPUTE_CAPABILITY = "80"
ATTRIBUTES = {
    "MaxThreadsPerBlock": 1024,
    "MaxSharedMemoryPerBlock": 48 << 10,
    "MaxSharedMemoryPerBlockOptin": 163 << 10,
    "MultiProcessorCount": 108,
    "WarpSize": 32,
    "ComputeCapabilityMajor": 8,
    "ComputeCapabilityMinor": 0,
}
"""Of a GPU of compute capability 8.0."""

INVALID_VALUE, INVALID_DEVICE = 1, 101
CUDA_VERSION = 13000


@like("cupy.cuda.Device")
class Device:
    def __init__(self, device: Any = None) -> None:
        self.id = 0 if device is None else int(device)
        if self.id != 0:
            raise CUDARuntimeError(INVALID_DEVICE)

    @property
    def compute_capability(self) -> str:
        return COMPUTE_CAPABILITY

    @property
    def attributes(self) -> dict[str, int]:
        return dict(ATTRIBUTES)

    @property
    def mem_info(self) -> tuple[int, int]:
        return mem_get_info()

    @property
    def cublas_handle(self) -> int:
        return CUBLAS_HANDLE

    def use(self) -> None:
        pass

    def synchronize(self) -> None:
        streams.device_synchronize()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __int__(self) -> int:
        return self.id


CUBLAS_HANDLE = 0xB1A5


def get_cublas_handle() -> int:
    return CUBLAS_HANDLE


def mem_get_info() -> tuple[int, int]:
    return memory.device.free_nbytes, memory.device.nbytes


def device_get_attribute(attrib: int, device: int) -> int:
    Device(device)
    for name, value in ATTRIBUTES.items():
        if attrib == getattr(runtime, f"cudaDevAttr{name}", None):
            return value
    raise NotImplementedError(f"device attribute {attrib} is not in the stand-in")


def get_device_properties(device: int) -> dict[str, Any]:
    Device(device)
    return {
        "name": b"stand-in",
        "totalGlobalMem": memory.device.nbytes,
        "multiProcessorCount": ATTRIBUTES["MultiProcessorCount"],
        "major": 8,
        "minor": 0,
        "warpSize": 32,
        "sharedMemPerBlock": ATTRIBUTES["MaxSharedMemoryPerBlock"],
        "sharedMemPerBlockOptin": ATTRIBUTES["MaxSharedMemoryPerBlockOptin"],
    }


def memset_async(ptr: int, value: int, size: int, stream: int) -> None:
    streams.submit(pools.filling(ptr, size, value), streams.by_pointer(stream))


CONSTANTS = {
    name: value
    for name in dir(runtime)
    if isinstance(value := getattr(runtime, name), int) and not name.startswith("_")
}
"""Every constant of the real module."""

FUNCTIONS = {
    "getDeviceCount": lambda: 1,
    "getDevice": lambda: 0,
    "setDevice": lambda device: Device(device).use(),
    "memGetInfo": mem_get_info,
    "deviceGetAttribute": device_get_attribute,
    "getDeviceProperties": get_device_properties,
    "driverGetVersion": lambda: CUDA_VERSION,
    "runtimeGetVersion": lambda: CUDA_VERSION,
    "deviceSynchronize": streams.device_synchronize,
    "streamSynchronize": lambda stream: streams.by_pointer(stream).synchronize(),
    "memcpyAsync": pinned.memcpy_async,
    "memsetAsync": memset_async,
    "hostRegister": pinned.host_register,
    "hostUnregister": pinned.host_unregister,
    "CUDARuntimeError": CUDARuntimeError,
}
