"""``activation(x @ weightᵀ + bias)`` by a packed weight."""

from __future__ import annotations

import numpy as np

from gpudb.backend.jit.packing import PackedWeight
from gpudb.backend.jit.panels import BFLOAT16, FLOAT32, INT8, describe
from gpudb.backend.jit.rows import new_rows, one_after_the_other, spread
from gpudb.backend.jit.team import MULTIPLY, run
from gpudb.backend.jit.tile import COLUMNS
from gpudb.types import HostArray

DTYPES = {"float32": FLOAT32, "bfloat16": BFLOAT16, "int8": INT8}


def linear(x: HostArray, weight: PackedWeight, bias: HostArray, activation: int) -> HostArray:
    """``(n, inner)``, ``(columns, inner)``, ``(columns,)`` or ``(0,)`` -> ``(n, columns)``."""
    x = _left_factor(np.asarray(x, np.float32), weight)
    bias = _over_panels(bias, weight)
    out = new_rows(len(x), weight.columns)
    panels, scales, sums = weight.places
    job = np.array(
        [
            DTYPES[weight.dtype],
            *(0, 0, 0, 0),  # the left factor
            *(panels, *weight.panels.shape[:2], scales, sums),
            *(0, 0, activation, 0, 0, weight.columns),  # bias and result
        ],
        np.int64,
    )
    describe(job, x, bias, out)
    run(MULTIPLY, job, x, bias, weight, out)
    return out


def _left_factor(x: HostArray, weight: PackedWeight) -> HostArray:
    """Rows as products read them."""
    if not weight.inner:  # a product has one step at least; the weight has zeros for it
        return np.zeros((len(x), 1), np.float32)
    # Where it is rounded, that makes a copy.
    return spread(x) if weight.dtype == "float32" else one_after_the_other(x)


def _over_panels(bias: HostArray, weight: PackedWeight) -> HostArray:
    """A number for each column of every panel; none where there is no bias."""
    bias = np.ascontiguousarray(bias, np.float32)
    behind = weight.panels.shape[0] * COLUMNS - len(bias)
    return np.pad(bias, (0, behind)) if len(bias) and behind else bias
