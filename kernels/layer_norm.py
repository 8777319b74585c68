"""Layer-norm of each row: ``(n, w)``, ``(v,)``, ``(v,)`` -> ``(n, w)``.

A row is its first ``v`` elements; what lies behind them is padding and becomes zero.
The variance is that of the row (divided by ``w``), computed from the differences to the mean, not
from the sum of squares: that would cancel for rows far from zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, row_grid
from gpudb.kernels.rows import row_pieces


def normalize_rows(x: Any, gamma: Any, beta: Any, eps: float) -> None:
    """Overwrite ``x`` with its layer-norm."""
    x -= x.mean(axis=-1, keepdims=True)
    variance = np.einsum("ij,ij->i", x, x)[:, None]
    variance /= x.shape[-1]
    variance += eps
    x /= np.sqrt(variance)
    x *= gamma
    x += beta


def reference(x: Any, gamma: Any, beta: Any, eps: float) -> Any:
    """Piece by piece, in a copy."""
    out = np.empty_like(x)
    width = gamma.shape[0]
    out[:, width:] = 0
    for piece in row_pieces(x):
        part = out[piece, :width]
        part[...] = x[piece, :width]
        normalize_rows(part, gamma, beta, eps)
    return out


def shape(x: Any, gamma: Any, beta: Any, eps: float) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


def launch(device: Device, x: Any, gamma: Any, beta: Any, eps: float) -> Any:
    """One block per row."""
    x, gamma, beta = map(device.contiguous, (x, gamma, beta))
    out = device.empty(x.shape, x.dtype)
    (rows, stride), width = x.shape, gamma.shape[0]
    grid = row_grid(device, rows if stride else 0, width, x.dtype.itemsize)
    args = (x, gamma, beta, out, rows, width, stride, eps, grid.kept)
    function = cuda("layer_norm", T=x.dtype, **grid.defines)
    device.launch(function, grid.blocks, grid.threads, args, grid.shared)
    return out


layer_norm = Kernel("layer_norm", reference, shape, launch=launch)
