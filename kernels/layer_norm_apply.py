"""Layer-norm from the moments of whole rows: ``(n, *rows, w)`` -> the same.

``moments`` ``(g, 2, *rows)`` holds mean and sum of squared differences of rows of ``width``
elements; ``groups`` ``(n,)`` says which belongs to a block, ``columns`` ``(n,)`` which block of
``gamma`` and ``beta`` ``(k, w)``.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda
from gpudb.kernels.lines import item_grid
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
    """A thread to an element."""
    x, out = device.contiguous(x), device.empty(x.shape, x.dtype)
    vectors = (device.contiguous(gamma), device.contiguous(beta), device.rows(columns))
    args = (
        *(x, device.contiguous(moments), device.rows(groups), *vectors, out),
        *(len(x), prod(x.shape[1:-1]), x.shape[-1], width, eps),
    )
    device.launch(cuda("layer_norm_apply", T=x.dtype), *item_grid(device, prod(x.shape)), args)
    return out


layer_norm_apply = Kernel("layer_norm_apply", reference, shape, launch=launch)
