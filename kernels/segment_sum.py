"""Add neighbouring blocks that share a group: ``(m, *block)``, starts ``(g,)`` -> ``(g, *block)``.

Group ``i`` holds the blocks from ``starts[i]`` up to the next start; no group is empty.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda
from gpudb.kernels.lines import item_grid


def reference(x: Any, starts: Any) -> Any:
    """In order, so the result does not depend on how the work is divided."""
    return np.add.reduceat(x, starts, axis=0) if len(starts) else x[:0]


def shape(x: Any, starts: Any) -> tuple[int, ...]:
    """Shape of the result."""
    return (len(starts), *x.shape[1:])


def launch(device: Device, x: Any, starts: Any) -> Any:
    """A thread to an element of a group."""
    x, starts = device.contiguous(x), device.rows(starts)
    out = device.empty(shape(x, starts), x.dtype)
    size = prod(x.shape[1:])
    args = (x, starts, out, len(x), len(starts), size)
    device.launch(cuda("segment_sum", T=x.dtype), *item_grid(device, len(starts) * size), args)
    return out


segment_sum = Kernel("segment_sum", reference, shape, launch=launch)
