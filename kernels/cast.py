"""The same numbers in another dtype: ``(n, *block)`` -> ``(n, *block)``.

``bfloat16`` is kept as its bits in uint16, as everywhere: see :mod:`gpudb.types`. An array of
uint16 holds such bits.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from gpudb import types
from gpudb.kernels import Kernel
from gpudb.kernels.boxes import element_grid
from gpudb.kernels.launch import Device, cuda


def reference(x: Any, dtype: str) -> Any:
    """Rounded to the nearest float, or cut off to an integer; no copy if nothing changes."""
    if x.dtype == types.storage_dtype(dtype):
        return x
    if x.dtype == np.uint16:
        x = types.widen(x, "bfloat16")
    return bfloat16_bits(x) if dtype == "bfloat16" else x.astype(dtype)


def shape(x: Any, dtype: str) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


def bfloat16_bits(x: Any) -> Any:
    """Numbers rounded to the nearest bfloat16, to even in the middle, as the bits of it."""
    single = np.asarray(x, np.float32)
    bits = single.view(np.uint32)
    # A double is rounded once: what float32 lost is put back as a last bit (round to odd).
    away = np.abs(single) > np.abs(x)
    bits = np.where(single == x, bits, (bits - away) | 1)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    rounded = ((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16)).astype(np.uint16)
    return np.where(np.isnan(x), np.uint16(0x7FFF), rounded)


def launch(device: Device, x: Any, dtype: str) -> Any:
    """A thread to 16 bytes of the wider of the two; ``x`` itself if nothing changes."""
    stored = types.storage_dtype(dtype)
    if x.dtype == stored:
        return x
    out = device.empty(x.shape, stored)
    x = device.contiguous(x)
    count = prod(x.shape)
    grid = element_grid(device, count, 16 // max(x.dtype.itemsize, stored.itemsize))
    device.launch(cuda("cast", X=x.dtype, T=stored), *grid, (x, out, count))
    return out


cast = Kernel("cast", reference, shape, lambda x, dtype: types.storage_dtype(dtype), launch)
