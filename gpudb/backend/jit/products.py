"""``activation(x @ weightᵀ + bias)`` by a packed weight."""

from __future__ import annotations

import numpy as np

from gpudb.backend.jit.packing import ALIGNMENT, PackedWeight
from gpudb.backend.jit.panels import BFLOAT16, FLOAT32, INT8, describe
from gpudb.backend.jit.team import multiply_together
from gpudb.backend.jit.tile import COLUMNS
from gpudb.types import HostArray

DTYPES = {"float32": FLOAT32, "bfloat16": BFLOAT16, "int8": INT8}

CONFLICT = 2048
"""Rows so many bytes apart, or a multiple, compete for the same few places of the first-level
cache."""


def linear(x: HostArray, weight: PackedWeight, bias: HostArray, activation: int) -> HostArray:
    """``(n, inner)``, ``(columns, inner)``, ``(columns,)`` or ``(0,)`` -> ``(n, columns)``."""
    # A product has one step at least; the weight has zeros for it.
    x = _spread(np.asarray(x, np.float32)) if weight.inner else np.zeros((len(x), 1), np.float32)
    bias = _over_panels(bias, weight)
    out = np.empty((len(x), weight.columns), np.float32)
    panels, scales, sums = weight.places
    job = np.array(
        [
            DTYPES[weight.dtype],
            *(0, 0, 0, 0),  # the left factor
            *(panels, *weight.panels.shape[:2], scales, sums),
            *(0, 0, activation, 0, weight.columns),  # bias and result
        ],
        np.int64,
    )
    describe(job, x, bias, out)
    multiply_together(job)
    return out


def _over_panels(bias: HostArray, weight: PackedWeight) -> HostArray:
    """A number for each column of every panel; none where there is no bias."""
    bias = np.ascontiguousarray(bias, np.float32)
    behind = weight.panels.shape[0] * COLUMNS - len(bias)
    return np.pad(bias, (0, behind)) if len(bias) and behind else bias


def _spread(x: HostArray) -> HostArray:
    """Rows side by side, but not a power of two apart: those of a tile would share a cache line."""
    rows, inner = x.shape
    if inner * x.itemsize % CONFLICT:
        return np.ascontiguousarray(x)
    spread = np.empty((rows, inner + ALIGNMENT // x.itemsize), np.float32)[:, :inner]
    spread[...] = x
    return spread
