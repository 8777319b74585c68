"""Softmax within sequences over blocks of ``(rows, heads, columns)``: ``(n, r, h, c)`` -> the same.

Blocks of one group hold the same rows against different columns. A pair of a row and a column
takes part when both belong to the same sequence; the others become 0. Two levels: each block gives
the maximum and the sum of exp of its rows, the group combines them.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import WARP, Device, cuda, thread_grid


def reference(x: Any, starts: Any, rows: Any, columns: Any) -> Any:
    """Group ``i`` has the blocks from ``starts[i]`` to the next start; none is empty.

    ``rows`` ``(n, r)`` and ``columns`` ``(n, c)`` are numbers of sequences; padding has none that
    any other has.
    """
    out = np.zeros(shape(x, starts, rows, columns), x.dtype)
    if not len(starts):
        return out
    pairs = (rows[:, :, None] == columns[:, None, :])[:, :, None, :]
    masked = np.where(pairs, x, -np.inf)
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(x))))
    largest = np.maximum.reduceat(masked.max(-1), starts, axis=0)
    np.subtract(masked, np.where(np.isneginf(largest), 0, largest)[group][..., None], out=masked)
    np.exp(masked, out=masked)
    total = np.add.reduceat(masked.sum(-1), starts, axis=0)
    np.divide(masked, total[group][..., None], out=out, where=pairs)
    return out


def shape(x: Any, starts: Any, rows: Any, columns: Any) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


def launch(device: Device, x: Any, starts: Any, rows: Any, columns: Any) -> Any:
    """A warp to a row and head of a group."""
    x, starts = device.contiguous(x), device.rows(starts)
    out = device.empty(x.shape, x.dtype)
    sizes = (len(x), len(starts), *x.shape[1:])
    args = (x, starts, device.rows(rows), device.rows(columns), out, *sizes)
    warps = len(starts) * prod(x.shape[1:3]) if prod(x.shape) else 0
    grid = thread_grid(device, warps * WARP)
    device.launch(cuda("sequence_softmax", T=x.dtype), *grid, args)
    return out


sequence_softmax = Kernel("sequence_softmax", reference, shape, launch=launch)
