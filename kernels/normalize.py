"""Rows divided by their Euclidean norm: ``(n, w)`` -> ``(n, w)``."""

from __future__ import annotations

from typing import Any

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, row_grid
from gpudb.kernels.pool import normalize as reference


def shape(x: Any, eps: float) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


def launch(device: Device, x: Any, eps: float) -> Any:
    """One block per row."""
    x = device.contiguous(x)
    out = device.empty(x.shape, x.dtype)
    rows, width = x.shape
    grid = row_grid(device, rows if width else 0, width, x.dtype.itemsize)
    args = (x, out, rows, width, eps, grid.kept)
    function = cuda("normalize", T=x.dtype, **grid.defines)
    device.launch(function, grid.blocks, grid.threads, args, grid.shared)
    return out


normalize = Kernel("normalize", reference, shape, launch=launch)
