"""Keep elements that compare with a number as asked: ``(n, *block)`` -> ``(n, *block)``."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.boxes import element_grid, per_access
from gpudb.kernels.launch import Device, cuda
from gpudb.kernels.rows import row_pieces
from gpudb.keys import COMPARE


def reference(x: Any, compare: str, value: float) -> Any:
    """Compared in float64: the number is not rounded to the dtype of the elements."""
    out = np.zeros_like(x)
    exact = np.float64(value)
    for piece in row_pieces(x):
        np.copyto(out[piece], x[piece], where=COMPARE[compare](x[piece], exact))
    return out


def shape(x: Any, compare: str, value: float) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


OPERATORS = {"=": "=="}
"""How C++ writes a comparison, where not as a plan does."""


def launch(device: Device, x: Any, compare: str, value: float) -> Any:
    """A thread to 16 bytes."""
    out = device.empty(x.shape, x.dtype)
    x = device.contiguous(x)
    count = prod(x.shape)
    function = cuda("filter_elements", T=x.dtype, COMPARE=OPERATORS.get(compare, compare))
    grid = element_grid(device, count, per_access(x.dtype.itemsize, True))
    device.launch(function, *grid, (x, out, count, value))
    return out


filter_elements = Kernel("filter_elements", reference, shape, launch=launch)
