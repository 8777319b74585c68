"""Rows divided by their norm, or by ``eps`` if that is larger: ``(n, *rows, w)`` -> the same.

``norms`` is ``(g, *rows)``; ``groups`` ``(n,)`` says which of them belongs to a block.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, matrix_grid, size
from gpudb.kernels.rows import chosen, row_pieces


def reference(x: Any, norms: Any, groups: Any, eps: float) -> Any:
    """A few blocks at a time."""
    out = np.empty_like(x, subok=False)
    for piece in row_pieces(x):
        length = np.maximum(chosen(norms, groups[piece]), eps)
        np.divide(x[piece], length[..., None], out=out[piece])
    return out


def shape(x: Any, norms: Any, groups: Any, eps: float) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


def launch(device: Device, x: Any, norms: Any, groups: Any, eps: float) -> Any:
    """A thread to 16 bytes of a few rows; blocks lie one below the other."""
    x, norms = device.contiguous(x), device.contiguous(norms)
    out = device.empty(x.shape, x.dtype)
    height, width = size(x.shape[1:-1]), x.shape[-1]
    rows = x.shape[0] * height
    blocks, threads = matrix_grid(device, rows, width, x.dtype.itemsize)
    args = (x, norms, device.rows(groups), out, rows, height, width, eps)
    device.launch(cuda("divide_rows", T=x.dtype), blocks, threads, args)
    return out


divide_rows = Kernel("divide_rows", reference, shape, launch=launch)
