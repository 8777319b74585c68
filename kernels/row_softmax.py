"""Softmax of the first ``width`` elements of each row, zeros behind: ``(n, w)`` -> ``(n, w)``.

The maximum of the row is taken off first, so that exp is at most 1. A row of -inf only, one with
inf and one with NaN are NaN, as the formula says.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.attention import softmax_rows
from gpudb.kernels.launch import Device, cuda, row_grid
from gpudb.kernels.rows import row_pieces


def reference(x: Any, width: int) -> Any:
    """Piece by piece, in a copy."""
    out = np.zeros_like(x, subok=False)
    if not width:
        return out
    for piece in row_pieces(x):
        part = out[piece, :width]
        part[...] = x[piece, :width]
        softmax_rows(part)
    return out


def shape(x: Any, width: int) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


def launch(device: Device, x: Any, width: int) -> Any:
    """One block per row; the row stays in shared memory where it fits."""
    x = device.contiguous(x)
    out = device.empty(x.shape, x.dtype)
    rows, stride = x.shape
    grid = row_grid(device, rows if stride else 0, width, x.dtype.itemsize)
    args = (x, out, rows, width, stride, grid.kept)
    function = cuda("row_softmax", T=x.dtype, **grid.defines)
    device.launch(function, grid.blocks, grid.threads, args, grid.shared)
    return out


row_softmax = Kernel("row_softmax", reference, shape, launch=launch)
