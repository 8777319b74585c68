"""Which devices, in which precisions, run on this machine."""

from __future__ import annotations

from collections.abc import Iterator

from gpudb.backend import PRECISIONS, open_backend
from gpudb.errors import DeviceError

COMPUTING = ("numpy", "jit", "cuda")


def available(*devices: str) -> Iterator[tuple[str, str]]:
    """Device and precision of each that can be opened.

    Parameters
    ----------
    devices
        The devices to try; none for all that compute.
    """
    for device in devices or COMPUTING:
        for precision in PRECISIONS:
            try:
                open_backend(device, precision=precision)
            except DeviceError:
                continue
            yield device, precision
