"""Combine rows by segment number: ``(panels · columns, r, *rest)`` -> blocks of ``rows`` segments.

``x`` is a full grid with ``columns`` blocks beside each other; ``numbers`` ``(n,)`` gives each of
its ``n`` rows a segment below ``count``. Segments without rows are zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, size, thread_grid


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


STRUCTS: Mapping[str, str] = {
    "sum": "Total",
    "mean": "Mean",
    "max": "Extreme<Largest>",
    "min": "Extreme<Smallest>",
}
"""Name in a plan -> struct of ``segment_rows.cu``."""


def launch(
    device: Device, x: Any, numbers: Any, columns: int, count: int, rows: int, fn: str
) -> Any:
    """A thread for each element; ``numbers`` come on the host and are put in order there."""
    x = device.contiguous(x)
    out = device.empty(shape(x, numbers, columns, count, rows, fn), x.dtype)
    order = np.argsort(numbers, kind="stable")
    starts = np.searchsorted(numbers[order], np.arange(ceil(count / rows) * rows + 1))
    elements, width = size(out.shape), size(x.shape[2:])
    blocks, threads = thread_grid(device, elements)
    indices = (device.rows(order), device.rows(starts))
    args = (x, *indices, out, elements, columns, x.shape[1], rows, width)
    device.launch(cuda("segment_rows", T=x.dtype, FN=STRUCTS[fn]), blocks, threads, args)
    return out


segment_rows = Kernel("segment_rows", reference, shape, launch=launch)
