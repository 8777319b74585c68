"""``activation(x @ weightᵀ + bias)`` by a packed weight."""

from __future__ import annotations

import numpy as np

from gpudb.backend.jit.packing import COLUMNS, PackedWeight
from gpudb.backend.jit.records import (
    MATRIX_BY_BFLOAT16,
    MATRIX_BY_FLOAT32,
    MATRIX_BY_INT8,
    MULTIPLY,
    added,
    matrix,
    record,
)
from gpudb.backend.jit.rows import new_rows, one_after_the_other, spread
from gpudb.backend.jit.team import run
from gpudb.types import HostArray

DTYPES = {
    "float32": MATRIX_BY_FLOAT32,
    "bfloat16": MATRIX_BY_BFLOAT16,
    "int8": MATRIX_BY_INT8,
}


def linear(
    x: HostArray, weight: PackedWeight, bias: HostArray | None, activation: int
) -> HostArray:
    """``(n, inner)``, ``(columns, inner)``, ``(columns,)`` or None -> ``(n, columns)``."""
    x = _left_factor(np.asarray(x, np.float32), weight)
    if bias is not None:
        bias = _over_panels(bias, weight)
    out = new_rows(len(x), weight.columns)
    panels, scales, sums = weight.places
    job = record(
        MULTIPLY,
        dtype=DTYPES[weight.dtype],
        **matrix("x", x),
        rows=len(x),
        inner=x.shape[1],
        panels=panels,
        count=weight.panels.shape[0],
        steps=weight.panels.shape[1],
        scales=scales,
        sums=sums,
        **added(bias),
        activation=activation,
        **matrix("out", out),
        columns=weight.columns,
    )
    run(MULTIPLY, job, x, bias, weight, out)
    return out


def _left_factor(x: HostArray, weight: PackedWeight) -> HostArray:
    """Rows as products read them."""
    if not weight.inner:  # a product has one step at least; the weight has zeros for it
        return np.zeros((len(x), 1), np.float32)
    # Where it is rounded, that makes a copy.
    return spread(x) if weight.dtype == "float32" else one_after_the_other(x)


def _over_panels(bias: HostArray, weight: PackedWeight) -> HostArray:
    """A number for each column of every panel."""
    bias = np.ascontiguousarray(bias, np.float32)
    behind = weight.panels.shape[0] * COLUMNS - len(bias)
    return np.pad(bias, (0, behind)) if behind else bias
