"""One element for each line along an axis of a block.

``(n, *block)``, lengths ``(n,)`` -> ``(n, *block without the axis)``.
Only the first ``lengths[i]`` elements of each line of block ``i`` take part; the rest is padding.
Sums are formed in float64. The norm scales by the largest element before it squares, so that it
overflows only where the norm itself does (Blue, "A portable Fortran program to find the Euclidean
norm of a vector", 1978).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device
from gpudb.kernels.lines import launch_lines
from gpudb.kernels.rows import valid_pieces


def reference(x: Any, lengths: Any, axis: int, fn: str) -> Any:
    """A few blocks at a time; NaN as in NumPy."""
    out = np.empty(shape(x, lengths, axis, fn), x.dtype)
    for rows, part in valid_pieces(x, lengths, axis):
        out[rows] = FUNCTIONS[fn](part, 1 + axis)
    return out


def norm(x: Any, axis: int) -> Any:
    """Euclidean norm along an axis, in float64."""
    largest = np.max(np.abs(x), axis, keepdims=True, initial=0)
    scale = np.where(np.isfinite(largest) & (largest > 0), largest, 1)
    scaled = x / scale
    scaled *= scaled
    return np.sqrt(scaled.sum(axis, dtype=np.float64)) * scale.squeeze(axis)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "sum": lambda x, axis: np.sum(x, axis, dtype=np.float64),
    "mean": lambda x, axis: np.mean(x, axis, dtype=np.float64),
    "max": np.max,
    "min": np.min,
    "variance": lambda x, axis: np.var(x, axis, dtype=np.float64),
    "norm": norm,
}
"""Name in a plan -> function of a block and an axis."""


def shape(x: Any, lengths: Any, axis: int, fn: str) -> tuple[int, ...]:
    """Shape of the result."""
    return (*x.shape[: 1 + axis], *x.shape[2 + axis :])


STRUCTS: Mapping[str, str] = {
    "sum": "Total",
    "mean": "Mean",
    "max": "Extreme<Largest>",
    "min": "Extreme<Smallest>",
    "variance": "Variance",
    "norm": "Norm",
}
"""Name in a plan -> struct of ``reduce_axis.cu``."""


def launch(device: Device, x: Any, lengths: Any, axis: int, fn: str) -> Any:
    """A warp or more for each contiguous line, else 32 lines beside each other to a block."""
    out = device.empty(shape(x, lengths, axis, fn), x.dtype)
    launch_lines(device, "reduce_axis", x, lengths, out, axis, FN=STRUCTS[fn])
    return out


reduce_axis = Kernel("reduce_axis", reference, shape, launch=launch)
