"""Results of parts of a line -> the result of the line: ``(m, *rest)`` -> ``(g, *rest)``.

Line ``i`` holds the parts from ``starts[i]`` up to the next start; no line is empty. Sums, extrema
and norms merge like elements. A mean is weighted with the number of elements of its part,
``counts`` ``(m,)``, out of ``total``: parts that are left out count as zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, size, thread_grid


def reference(parts: Any, counts: Any, starts: Any, fn: str, total: int) -> Any:
    """Sums in float64, in the order of the parts."""
    if not len(starts):
        return parts[:0]
    if fn == "max":
        return np.maximum.reduceat(parts, starts, axis=0)
    if fn == "min":
        return np.minimum.reduceat(parts, starts, axis=0)
    wide = parts.astype(np.float64)
    if fn == "sum":
        return np.add.reduceat(wide, starts, axis=0).astype(parts.dtype)
    if fn == "mean":
        wide *= (counts / total).reshape(-1, *(1,) * (parts.ndim - 1))
        return np.add.reduceat(wide, starts, axis=0).astype(parts.dtype)
    return _norms(wide, starts).astype(parts.dtype)


def _norms(parts: Any, starts: Any) -> Any:
    """Norm of norms, scaled by the largest of each line (Blue, 1978)."""
    largest = np.maximum.reduceat(parts, starts, axis=0)
    scale = np.where(np.isfinite(largest) & (largest > 0), largest, 1)
    parts /= np.repeat(scale, np.diff(starts, append=len(parts)), axis=0)
    parts *= parts
    return np.sqrt(np.add.reduceat(parts, starts, axis=0)) * scale


def shape(parts: Any, counts: Any, starts: Any, fn: str, total: int) -> tuple[int, ...]:
    """Shape of the result."""
    return (len(starts), *parts.shape[1:])


STRUCTS: Mapping[str, str] = {
    "sum": "Total",
    "mean": "Mean",
    "max": "Extreme<Largest>",
    "min": "Extreme<Smallest>",
    "norm": "Norm",
}
"""Name in a plan -> struct of ``merge_parts.cu``."""


def launch(device: Device, parts: Any, counts: Any, starts: Any, fn: str, total: int) -> Any:
    """A thread for each line: it walks through the line's parts."""
    parts = device.contiguous(parts)
    out = device.empty(shape(parts, counts, starts, fn, total), parts.dtype)
    groups, count, rest = len(starts), parts.shape[0], size(parts.shape[1:])
    blocks, threads = thread_grid(device, groups * rest)
    args = (parts, device.rows(counts), device.rows(starts), out, groups, count, rest, total)
    device.launch(cuda("merge_parts", T=parts.dtype, FN=STRUCTS[fn]), blocks, threads, args)
    return out


merge_parts = Kernel("merge_parts", reference, shape, launch=launch)
