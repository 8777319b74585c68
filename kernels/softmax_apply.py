"""Softmax from the (maximum, sum of exp) of whole rows: ``(n, *rows, w)`` -> the same.

``states`` is ``(g, 2, *rows)``; ``groups`` ``(n,)`` says which of them belongs to a block.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, matrix_grid, size
from gpudb.kernels.rows import chosen, row_pieces


def reference(x: Any, states: Any, groups: Any) -> Any:
    """A few blocks at a time, in a copy; what it makes of padding is for the caller to clear."""
    out = np.empty_like(x, subok=False)
    for piece in row_pieces(x):
        state = chosen(states, groups[piece])[..., None]
        part = out[piece]
        np.subtract(x[piece], state[:, 0], out=part)
        np.exp(part, out=part)
        part /= state[:, 1]
    return out


def shape(x: Any, states: Any, groups: Any) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


def launch(device: Device, x: Any, states: Any, groups: Any) -> Any:
    """A thread to 16 bytes of a few rows; blocks lie one below the other."""
    x, states = device.contiguous(x), device.contiguous(states)
    out = device.empty(x.shape, x.dtype)
    height, width = size(x.shape[1:-1]), x.shape[-1]
    rows = x.shape[0] * height
    blocks, threads = matrix_grid(device, rows, width, x.dtype.itemsize)
    args = (x, states, device.rows(groups), out, rows, height, width)
    device.launch(cuda("softmax_apply", T=x.dtype), blocks, threads, args)
    return out


softmax_apply = Kernel("softmax_apply", reference, shape, launch=launch)
