"""Numbers as whole multiples of the scale of their row: ``(n, w)``, ``(n,)`` -> ``(n, w)`` int8.

``x / scale`` rounded to the nearest whole number, to even in the middle, from -127 to 127; 0 where
that is NaN. The scales are those of :mod:`gpudb.kernels.row_scales`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, matrix_grid


def reference(x: Any, scales: Any) -> Any:
    """In float32."""
    steps = np.rint(x.astype(np.float32) / scales.astype(np.float32)[:, None])
    return np.where(np.isnan(steps), 0, np.clip(steps, -127, 127)).astype(np.int8)


def shape(x: Any, scales: Any) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


def launch(device: Device, x: Any, scales: Any) -> Any:
    """A thread to 16 bytes of a few rows."""
    x, scales = device.contiguous(x), device.contiguous(scales)
    rows, width = x.shape
    out = device.empty(x.shape, np.int8)
    grid = matrix_grid(device, rows, width, x.dtype.itemsize)
    device.launch(cuda("quantize", T=x.dtype), *grid, (x, scales, out, rows, width))
    return out


quantize = Kernel("quantize", reference, shape, lambda *_: np.dtype(np.int8), launch)
