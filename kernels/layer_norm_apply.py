"""Layer-norm from the moments of whole rows: ``(n, *rows, w)`` -> the same.

``moments`` ``(g, 2, *rows)`` holds mean and sum of squared differences of rows of ``width``
elements; ``groups`` ``(n,)`` says which belongs to a block, ``columns`` ``(n,)`` which block of
``gamma`` and ``beta`` ``(k, w)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, matrix_grid, size
from gpudb.kernels.rows import chosen, row_pieces


def reference(
    x: Any,
    moments: Any,
    groups: Any,
    gamma: Any,
    beta: Any,
    columns: Any,
    width: int,
    eps: float,
) -> Any:
    """A few blocks at a time; what it makes of padding is for the caller to clear."""
    out = np.empty_like(x, subok=False)
    by_column = (-1, *(1,) * (x.ndim - 2), x.shape[-1])
    for piece in row_pieces(x):
        state = chosen(moments, groups[piece])[..., None]
        part = x[piece] - state[:, 0]
        part /= np.sqrt(state[:, 1] / width + eps)
        part *= chosen(gamma, columns[piece]).reshape(by_column)
        part += chosen(beta, columns[piece]).reshape(by_column)
        out[piece] = part
    return out


def shape(
    x: Any,
    moments: Any,
    groups: Any,
    gamma: Any,
    beta: Any,
    columns: Any,
    width: int,
    eps: float,
) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


def launch(
    device: Device,
    x: Any,
    moments: Any,
    groups: Any,
    gamma: Any,
    beta: Any,
    columns: Any,
    width: int,
    eps: float,
) -> Any:
    """A thread to 16 bytes of a few rows; blocks lie one below the other."""
    x, moments, gamma, beta = map(device.contiguous, (x, moments, gamma, beta))
    out = device.empty(x.shape, x.dtype)
    height, block_width = size(x.shape[1:-1]), x.shape[-1]
    rows = x.shape[0] * height
    blocks, threads = matrix_grid(device, rows, block_width, x.dtype.itemsize)
    affine = (gamma, beta, device.rows(columns))
    numbers = (rows, height, block_width, width, eps)
    args = (x, moments, device.rows(groups), *affine, out, *numbers)
    device.launch(cuda("layer_norm_apply", T=x.dtype), blocks, threads, args)
    return out


layer_norm_apply = Kernel("layer_norm_apply", reference, shape, launch=launch)
