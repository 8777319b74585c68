"""Position of the first largest element of each line along an axis of a block.

``(n, *block)``, lengths ``(n,)`` -> int64 ``(n, *block without the axis)``. NaN counts as largest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device
from gpudb.kernels.lines import launch_lines
from gpudb.kernels.reduce_axis import shape as reduced
from gpudb.kernels.rows import valid_pieces


def reference(x: Any, lengths: Any, axis: int) -> Any:
    """A few blocks at a time."""
    out = np.empty(shape(x, lengths, axis), np.int64)
    for rows, part in valid_pieces(x, lengths, axis):
        out[rows] = np.argmax(part, 1 + axis)
    return out


def shape(x: Any, lengths: Any, axis: int) -> tuple[int, ...]:
    """Shape of the result."""
    return reduced(x, lengths, axis, "argmax")


def dtype(x: Any, lengths: Any, axis: int) -> str:
    """A position is a whole number."""
    return "int64"


def launch(device: Device, x: Any, lengths: Any, axis: int) -> Any:
    """A warp or more for each contiguous line, else 32 lines beside each other to a block."""
    out = device.empty(shape(x, lengths, axis), np.int64)
    launch_lines(device, "argmax_axis", x, lengths, out, axis)
    return out


argmax_axis = Kernel("argmax_axis", reference, shape, dtype, launch=launch)
