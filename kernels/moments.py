"""Mean and sum of squared differences to it, along an axis of a block, in float64.

``(n, *block)``, lengths ``(n,)`` -> ``(n, 2, *block without the axis)``. With the number of
elements, this is the state that :mod:`gpudb.kernels.merge_moments` merges.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device
from gpudb.kernels.lines import launch_lines
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
    """A warp or more for each contiguous line, else 32 lines beside each other to a block."""
    out = device.empty(shape(x, lengths, axis), np.float64)
    launch_lines(device, "moments", x, lengths, out, axis)
    return out


moments = Kernel("moments", reference, shape, dtype, launch=launch)
