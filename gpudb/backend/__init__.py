"""Where arrays live: one Protocol, one module per device, one place that chooses."""

from __future__ import annotations

from typing import Any

from gpudb.backend.base import Array, Backend
from gpudb.backend.cuda.probe import check, obstacle
from gpudb.backend.jit import probe as jit_probe
from gpudb.backend.null import NullBackend
from gpudb.backend.numpy import NumpyBackend
from gpudb.errors import DeviceError
from gpudb.types import HostArray

DEVICES = ("auto", "cuda", "jit", "null", "numpy")

PRECISIONS = ("float32", "tf32", "float16", "bfloat16", "int8")

__all__ = [
    "DEVICES",
    "PRECISIONS",
    "Array",
    "Backend",
    "fallback",
    "host_array",
    "obstacle",
    "open_backend",
]


def open_backend(
    device: str, memory_limit: int | None = None, precision: str = "float32"
) -> Backend:
    """Open the backend of a device.

    Parameters
    ----------
    device
        ``"cuda"`` is an NVIDIA GPU; ``"jit"`` the CPU, with code compiled for it; ``"numpy"`` the
        CPU by NumPy alone; ``"null"`` computes shapes and costs, no numbers; ``"auto"`` takes the
        first of these three that is available.
    memory_limit
        Bytes that the device's memory pool may take; None for all there is.
    precision
        One of :data:`PRECISIONS`: ``"cuda"`` has all but int8, ``"jit"`` float32, and bfloat16 and
        int8 where the processor multiplies them, the others float32.

    Raises
    ------
    DeviceError
        The device is unknown or not available, or lacks the precision.
    """
    if device not in DEVICES:
        raise DeviceError(f"no device {device!r}; expected one of {', '.join(DEVICES)}")
    if precision not in PRECISIONS:
        raise DeviceError(f"no precision {precision!r}; expected one of {', '.join(PRECISIONS)}")
    if device == "cuda" or (device == "auto" and not obstacle()):
        check()
        if precision == "int8":
            raise DeviceError(
                "device 'cuda' does not compute in int8; precision='float16' or 'bfloat16' halves "
                "weights there, device='jit' has int8"
            )
        # Not at the top: CuPy is there on CUDA hosts only, and takes a while to load.
        from gpudb.backend.cuda.backend import CudaBackend

        return CudaBackend(memory_limit, precision)
    if device == "jit" or (device == "auto" and not jit_probe.obstacle()):
        jit_probe.check(precision)
        with jit_probe.waiting():
            from gpudb.backend.jit.backend import JitBackend

        return JitBackend(precision)
    backend: Backend = NullBackend() if device == "null" else NumpyBackend()
    if precision != "float32":
        raise DeviceError(
            f"device {backend.name!r} computes in float32; precision={precision!r} needs "
            "device='cuda'"
        )
    return backend


def fallback(device: str, backend: Backend) -> str:
    """Why ``device`` became this backend, for EXPLAIN; empty when it is what was asked for."""
    if device == backend.name or backend.name == "cuda":
        return ""
    reasons = [obstacle()] if backend.name == "jit" else [obstacle(), jit_probe.obstacle()]
    return f"{device} -> {backend.name}: {'; '.join(reasons)}"


def host_array(x: Any) -> HostArray:
    """A copy of an array on a GPU, of CuPy or anything with ``__cuda_array_interface__``.

    Raises
    ------
    DeviceError
        There is no GPU here, or no CuPy.
    """
    check()
    from gpudb.backend.cuda.memory import host_copy

    return host_copy(x)
