"""Combine rows by segment number: ``(panels · columns, r, *rest)`` -> blocks of ``rows`` segments.

``x`` is a full grid with ``columns`` blocks beside each other; ``numbers`` ``(n,)`` gives each of
its ``n`` rows a segment below ``count``. Segments without rows are zero.
"""

from __future__ import annotations

from math import ceil, prod
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda
from gpudb.kernels.lines import item_grid
from gpudb.kernels.reduce_axis import FUNCTORS


def reference(x: Any, numbers: Any, columns: int, count: int, rows: int, fn: str) -> Any:
    """Rows in order of segment, then as they come: the same sum every time, in float64."""
    out = np.zeros(shape(x, numbers, columns, count, rows, fn), x.dtype)
    if not out.size or not len(numbers):
        return out
    order = np.argsort(numbers, kind="stable")
    present, starts = np.unique(numbers[order], return_index=True)
    source = x.reshape(-1, columns, *x.shape[1:])
    target = out.reshape(-1, columns, *out.shape[1:])
    for column in range(columns):
        lines = source[order // x.shape[1], column, order % x.shape[1]]
        target[present // rows, column, present % rows] = _combine(lines, starts, fn)
    return out


def _combine(lines: Any, starts: Any, fn: str) -> Any:
    if fn in ("max", "min"):
        ufunc = np.maximum if fn == "max" else np.minimum
        return ufunc.reduceat(lines, starts, axis=0)
    sums = np.add.reduceat(lines, starts, axis=0, dtype=np.float64)
    if fn == "mean":
        counts = np.diff(starts, append=len(lines))
        sums /= counts.reshape(-1, *(1,) * (lines.ndim - 1))
    return sums


def shape(x: Any, numbers: Any, columns: int, count: int, rows: int, fn: str) -> tuple[int, ...]:
    """Shape of the result."""
    return (ceil(count / rows) * columns, rows, *x.shape[2:])


def launch(
    device: Device, x: Any, numbers: Any, columns: int, count: int, rows: int, fn: str
) -> Any:
    """A thread to an element of a segment; rows are put in order of segments on the host."""
    x = device.contiguous(x)
    out = device.zeros(shape(x, numbers, columns, count, rows, fn), x.dtype)
    if not prod(out.shape) or not len(numbers):
        return out
    order = np.argsort(numbers, kind="stable")
    present, starts = np.unique(numbers[order], return_index=True)
    size = prod(x.shape[2:])
    args = (
        *(x, device.rows(order), device.rows(starts), device.rows(present), out),
        *(len(order), len(present), columns, x.shape[1], rows, size),
    )
    grid = item_grid(device, len(present) * columns * size)
    device.launch(cuda("segment_rows", T=x.dtype, FN=FUNCTORS[fn]), *grid, args)
    return out


segment_rows = Kernel("segment_rows", reference, shape, launch=launch)
