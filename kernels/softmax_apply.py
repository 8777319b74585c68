"""Softmax from the (maximum, sum of exp) of whole rows: ``(n, *rows, w)`` -> the same.

``states`` is ``(g, 2, *rows)``; ``groups`` ``(n,)`` says which of them belongs to a block.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda
from gpudb.kernels.lines import item_grid
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
    """A thread to an element."""
    x, states = device.contiguous(x), device.contiguous(states)
    out = device.empty(x.shape, x.dtype)
    args = (x, states, device.rows(groups), out, len(x), prod(x.shape[1:-1]), x.shape[-1])
    device.launch(cuda("softmax_apply", T=x.dtype), *item_grid(device, prod(x.shape)), args)
    return out


softmax_apply = Kernel("softmax_apply", reference, shape, launch=launch)
