"""A function of every element: ``(n, …)`` -> ``(n, …)``; names as in :data:`MAPS`."""

from __future__ import annotations

from math import prod
from typing import Any

from gpudb.kernels import Kernel
from gpudb.kernels.boxes import element_grid, per_access
from gpudb.kernels.elementwise import MAPS, functor
from gpudb.kernels.launch import Device, cuda


def reference(x: Any, fn: str) -> Any:
    """NumPy, of the whole array at once."""
    return MAPS[fn](x)


def shape(x: Any, fn: str) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


def launch(device: Device, x: Any, fn: str) -> Any:
    """A thread to 16 bytes."""
    out = device.empty(x.shape, x.dtype)
    x = device.contiguous(x)
    count = prod(x.shape)
    grid = element_grid(device, count, per_access(x.dtype.itemsize, True))
    device.launch(cuda("map_elements", T=x.dtype, FN=functor(fn)), *grid, (x, out, count))
    return out


map_elements = Kernel("map_elements", reference, shape, launch=launch)
