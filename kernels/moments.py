"""Mean and sum of squared differences to it, along an axis of a block, in float64.

``(n, *block)``, lengths ``(n,)`` -> ``(n, 2, *block without the axis)``. With the number of
elements, this is the state that :mod:`gpudb.kernels.merge_moments` merges.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda
from gpudb.kernels.lines import line_extents, line_grid
from gpudb.kernels.rows import valid_pieces


def reference(x: Any, lengths: Any, axis: int) -> Any:
    """Two passes over a few blocks at a time: the sum of squares alone would cancel."""
    out = np.empty(shape(x, lengths, axis), np.float64)
    for rows, part in valid_pieces(x, lengths, axis):
        out[rows, 0], out[rows, 1] = _moments(part, 1 + axis)
    return out


def _moments(x: Any, axis: int) -> tuple[Any, Any]:
    mean = x.mean(axis, dtype=np.float64, keepdims=True)
    off = x - mean
    off *= off
    return mean.squeeze(axis), off.sum(axis)


def shape(x: Any, lengths: Any, axis: int) -> tuple[int, ...]:
    """Shape of the result."""
    return (x.shape[0], 2, *x.shape[1 : 1 + axis], *x.shape[2 + axis :])


def dtype(x: Any, lengths: Any, axis: int) -> str:
    """Differences of large means must not cancel."""
    return "float64"


def launch(device: Device, x: Any, lengths: Any, axis: int) -> Any:
    """A warp or a thread to a line."""
    x, out = device.contiguous(x), device.empty(shape(x, lengths, axis), np.float64)
    outer, length, inner = line_extents(x.shape[1:], axis)
    args = (x, device.rows(lengths), out, len(x), outer, length, inner)
    grid = line_grid(device, len(x) * outer * inner, inner)
    device.launch(cuda("moments", T=x.dtype), *grid, args)
    return out


moments = Kernel("moments", reference, shape, dtype, launch)
