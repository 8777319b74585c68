"""A function of two arrays that broadcast, element by element; names as in :data:`ZIPS`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.boxes import box, element_grid, per_access, spread_steps
from gpudb.kernels.elementwise import ZIPS, functor
from gpudb.kernels.launch import Device, cuda


def reference(x: Any, y: Any, fn: str) -> Any:
    """NumPy, of the whole arrays at once."""
    return ZIPS[fn](x, y)


def shape(x: Any, y: Any, fn: str) -> tuple[int, ...]:
    """Shape of the result."""
    return np.broadcast_shapes(x.shape, y.shape)


def dtype(x: Any, y: Any, fn: str) -> Any:
    """Dtype of the result."""
    return np.result_type(x.dtype, y.dtype)


def launch(device: Device, x: Any, y: Any, fn: str) -> Any:
    """Axes that repeat are read with steps of 0."""
    out = device.empty(shape(x, y, fn), dtype(x, y, fn))
    x, y = device.contiguous(x), device.contiguous(y)  # of a single number it may make an axis
    whole = box(out.shape, _steps(x.shape, len(out.shape)), _steps(y.shape, len(out.shape)))
    packed = whole.is_packed(out.dtype.itemsize)
    grid = element_grid(device, whole.size, per_access(out.dtype.itemsize, packed))
    types = {"X": x.dtype, "Y": y.dtype, "T": out.dtype}
    function = cuda("zip_elements", **types, FN=functor(fn), AXES=whole.axes)
    device.launch(function, *grid, (x, y, out, whole.size, packed, *whole.numbers()))
    return out


def _steps(shape: Sequence[int], ndim: int) -> tuple[int, ...]:
    """Steps along the axes of the result, the last of which are those of the array."""
    return spread_steps(shape, (*(None,) * (ndim - len(shape)), *range(len(shape))))


zip_elements = Kernel("zip_elements", reference, shape, dtype, launch)
