"""Whole multiples of the scale of their row as numbers: ``(n, w)`` int8, ``(n,)`` -> float32.

The inverse of :mod:`gpudb.kernels.quantize`, up to half a step. A row with NaN or infinities in it
has a scale that is not finite, and comes back as NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, matrix_grid


def reference(x: Any, scales: Any) -> Any:
    """In float32."""
    return np.multiply(x, scales.astype(np.float32)[:, None], dtype=np.float32)


def shape(x: Any, scales: Any) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


def launch(device: Device, x: Any, scales: Any) -> Any:
    """A thread to 16 bytes of a few rows."""
    x, scales = device.contiguous(x), device.contiguous(scales)
    rows, width = x.shape
    out = device.empty(x.shape, np.float32)
    grid = matrix_grid(device, rows, width, out.dtype.itemsize)
    device.launch(cuda("dequantize"), *grid, (x, scales, out, rows, width))
    return out


dequantize = Kernel("dequantize", reference, shape, lambda *_: np.dtype(np.float32), launch)
