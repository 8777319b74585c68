"""Where arrays live: one Protocol, one module per device, one place that chooses."""

from __future__ import annotations

from gpudb.backend.base import Array, Backend
from gpudb.backend.null import NullBackend
from gpudb.backend.numpy import NumpyBackend
from gpudb.errors import DeviceError

DEVICES = ("auto", "cuda", "null", "numpy")

__all__ = ["DEVICES", "Array", "Backend", "fallback", "open_backend"]


def open_backend(device: str) -> Backend:
    """Open the backend of a device.

    Parameters
    ----------
    device
        ``"numpy"`` computes on the CPU; ``"null"`` computes shapes and costs, no numbers;
        ``"auto"`` takes the fastest that is there, which in this version is ``"numpy"``.

    Raises
    ------
    DeviceError
        The device is unknown or not available.
    """
    if device == "null":
        return NullBackend()
    if device in ("auto", "numpy"):
        return NumpyBackend()
    if device == "cuda":
        raise DeviceError(
            "device 'cuda' is not available: this version of gpudb has no CUDA backend yet; "
            "use device='auto' or device='numpy'"
        )
    raise DeviceError(f"no device {device!r}; expected one of {', '.join(DEVICES)}")


def fallback(device: str, backend: Backend) -> str:
    """Why ``device`` became this backend, for EXPLAIN; empty when it is what was asked for."""
    if device == backend.name:
        return ""
    return f"{device} -> {backend.name}: no CUDA backend in this version"
