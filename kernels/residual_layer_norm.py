"""``layer_norm(x + bias + residual)``: ``(n, w)``, ``(w,)`` or None, ``(n, w)`` -> ``(n, w)``."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, row_grid
from gpudb.kernels.layer_norm import normalize_rows
from gpudb.kernels.rows import row_pieces


def reference(x: Any, bias: Any, residual: Any, gamma: Any, beta: Any, eps: float) -> Any:
    """One pass over each row."""
    out = np.empty(residual.shape, np.result_type(x, residual))
    for piece in row_pieces(x):
        part = out[piece]
        np.add(x[piece], residual[piece], out=part)
        if bias is not None:
            part += bias
        normalize_rows(part, gamma, beta, eps)
    return out


def shape(x: Any, bias: Any, residual: Any, gamma: Any, beta: Any, eps: float) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(residual.shape)


def launch(
    device: Device, x: Any, bias: Any, residual: Any, gamma: Any, beta: Any, eps: float
) -> Any:
    """One block per row."""
    x, residual, gamma, beta = map(device.contiguous, (x, residual, gamma, beta))
    added = gamma if bias is None else device.contiguous(bias)  # a pointer has to be there
    out = device.empty(residual.shape, x.dtype)
    rows, width = residual.shape
    grid = row_grid(device, rows if width else 0, width, x.dtype.itemsize)
    arrays = (x, residual, added, gamma, beta, out)
    args = (*arrays, rows, width, eps, bias is not None, grid.kept)
    function = cuda("residual_layer_norm", T=x.dtype, **grid.defines)
    device.launch(function, grid.blocks, grid.threads, args, grid.shared)
    return out


residual_layer_norm = Kernel("residual_layer_norm", reference, shape, launch=launch)
