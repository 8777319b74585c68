"""Choose blocks by number: ``(n, *block)``, rows ``(m,)`` -> ``(m, *block)``; -1 gives zeros."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.boxes import run_grid
from gpudb.kernels.launch import Device, cuda, size
from gpudb.kernels.rows import row_pieces


def reference(x: Any, rows: Any) -> Any:
    """A missing block is zero."""
    out = np.zeros(shape(x, rows), x.dtype)
    for piece in row_pieces(out):
        there = rows[piece] >= 0
        out[piece][there] = x[rows[piece][there]]
    return out


def shape(x: Any, rows: Any) -> tuple[int, ...]:
    """Shape of the result."""
    return (len(rows), *x.shape[1:])


def launch(device: Device, x: Any, rows: Any) -> Any:
    """A thread to 16 bytes of a block."""
    x, numbers = device.contiguous(x), device.rows(rows)
    out = device.empty(shape(x, rows), x.dtype)
    each = size(x.shape[1:])
    blocks, threads = run_grid(device, len(numbers), each, x.dtype.itemsize)
    args = (x, numbers, out, len(numbers), each)
    device.launch(cuda("take_or_zero", T=x.dtype), blocks, threads, args)
    return out


take_or_zero = Kernel("take_or_zero", reference, shape, launch=launch)
