"""Zero the elements of some blocks from a place on, along one axis. Overwrites ``x``.

``x`` ``(n, *block)``, numbers of blocks ``(m,)``; elements ``start`` and beyond along ``axis`` of a
block are padding.
"""

from __future__ import annotations

from typing import Any

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, grid_for, size

THREADS = 256


def reference(x: Any, rows: Any, axis: int, start: int) -> Any:
    """An assignment of zero."""
    x[(rows, *(slice(None),) * axis, slice(start, None))] = 0
    return x


def shape(x: Any, rows: Any, axis: int, start: int) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


def launch(device: Device, x: Any, rows: Any, axis: int, start: int) -> Any:
    """One thread per element to be zeroed."""
    length = x.shape[1 + axis]
    outer, inner = size(x.shape[1 : 1 + axis]), size(x.shape[2 + axis :])
    count = len(rows) * outer * (length - start) * inner
    threads = device.block_size(THREADS)
    args = (x, device.rows(rows), count, outer, length, start, inner)
    device.launch(cuda("clear_tail", T=x.dtype), grid_for(count, threads), threads, args)
    return x


clear_tail = Kernel("clear_tail", reference, shape, launch=launch)
