"""Add neighbouring blocks that share a group: ``(m, *block)``, starts ``(g,)`` -> ``(g, *block)``.

Group ``i`` holds the blocks from ``starts[i]`` up to the next start; no group is empty.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, ceil_div, cuda, size, thread_grid


def reference(x: Any, starts: Any) -> Any:
    """Each group by itself, so the result does not depend on how the work is divided."""
    return np.add.reduceat(x, starts, axis=0) if len(starts) else x[:0]


def shape(x: Any, starts: Any) -> tuple[int, ...]:
    """Shape of the result."""
    return (len(starts), *x.shape[1:])


def launch(device: Device, x: Any, starts: Any) -> Any:
    """A thread for 16 bytes of each group: it walks through the group's blocks."""
    x = device.contiguous(x)
    out = device.empty(shape(x, starts), x.dtype)
    groups, parts, elements = len(starts), x.shape[0], size(x.shape[1:])
    blocks, threads = thread_grid(device, groups * ceil_div(elements * x.dtype.itemsize, 16))
    args = (x, device.rows(starts), out, groups, parts, elements)
    device.launch(cuda("segment_sum", T=x.dtype), blocks, threads, args)
    return out


segment_sum = Kernel("segment_sum", reference, shape, launch=launch)
