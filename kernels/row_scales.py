"""What stands for one of 127 steps in each row: ``(n, w)`` -> ``(n,)`` float32.

The largest ``|x|`` of a row divided by 127: with it, :mod:`gpudb.kernels.quantize` puts the row
into 8 bits, symmetrically. It is 1 for a row of zeros, and for one so small that the step would be
denormal. It is NaN for a row with NaN, infinite for one with infinities.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, grid_for, row_threads

STEP = np.float32(1 / 127)
"""As in ``row_scales.cu``."""

SMALLEST = np.finfo(np.float32).tiny
"""Smallest float32 that is not denormal, which a GPU would take for 0; as in ``row_scales.cu``."""


def reference(x: Any) -> Any:
    """In float32."""
    largest = np.max(np.abs(x.astype(np.float32)), axis=1, initial=0)
    scales = largest * STEP
    return np.where(scales < SMALLEST, np.float32(1), scales)


def shape(x: Any) -> tuple[int, ...]:
    """Shape of the result."""
    return (x.shape[0],)


def launch(device: Device, x: Any) -> Any:
    """One block per row."""
    x = device.contiguous(x)
    rows, width = x.shape
    out = device.empty((rows,), np.float32)
    threads = device.block_size(row_threads(width, x.dtype.itemsize))
    device.launch(cuda("row_scales", T=x.dtype), grid_for(rows, 1), threads, (x, out, rows, width))
    return out


row_scales = Kernel("row_scales", reference, shape, lambda *_: np.dtype(np.float32), launch)
