"""Layer-norm of each row of ``x + bias + residual``, in one pass over the row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, types

from gpudb.backend.jit.compiled import array, compiled, matrix, part, written
from gpudb.backend.jit.lanes import first_lanes, lanes_sum
from gpudb.backend.jit.llvm import LANES
from gpudb.backend.jit.memory import pointer_to
from gpudb.backend.jit.records import places, rows_at, step_of
from gpudb.backend.jit.vectors import at, fma, load_up_to, splat, store_up_to
from gpudb.types import HostArray

NORM = np.dtype(
    [
        *((name, "i8") for name in ("x", "x_step", "rows", "width")),
        *((name, "i8") for name in ("residual", "residual_step", "bias", "biased")),
        *((name, "i8") for name in ("gamma", "beta")),
        ("eps", "f8"),
        *((name, "i8") for name in ("out", "out_step")),
    ]
)
"""A norm as it is asked for. ``residual`` is 0 where there is none, ``biased`` the length of the
bias, 0 for none."""

_X, _X_STEP, _ROWS, _WIDTH = places(NORM, "x", "x_step", "rows", "width")
_RESIDUAL, _RESIDUAL_STEP = places(NORM, "residual", "residual_step")
_BIAS, _BIASED, _GAMMA, _BETA = places(NORM, "bias", "biased", "gamma", "beta")
EPS, _OUT, _OUT_STEP = places(NORM, "eps", "out", "out_step")

_ZERO = np.float32(0)


@compiled(
    written(types.int64, 1),
    *[matrix(types.float32)] * 2,
    *[array(types.float32)] * 3,
    matrix(types.float32),
)
def describe(
    job: HostArray,
    x: HostArray,
    residual: HostArray,
    bias: HostArray,
    gamma: HostArray,
    beta: HostArray,
    out: HostArray,
) -> None:
    """Write into a :data:`NORM` where its arrays are; a residual without columns is none."""
    job[_X], job[_X_STEP] = at(x, (0, 0)), step_of(x)
    job[_ROWS], job[_WIDTH] = x.shape[0], len(gamma)
    if residual.shape[1]:
        job[_RESIDUAL], job[_RESIDUAL_STEP] = at(residual, (0, 0)), step_of(residual)
    job[_BIAS], job[_BIASED] = at(bias, (0,)), len(bias)
    job[_GAMMA], job[_BETA] = at(gamma, (0,)), at(beta, (0,))
    job[_OUT], job[_OUT_STEP] = at(out, (0, 0)), step_of(out)


@part
def _sum_row(
    x: HostArray, residual: HostArray, added: bool, bias: HostArray, i: int, out: HostArray
) -> Any:
    """Row ``i`` of the sum, to ``out``; the vector of sums of its elements, lane by lane."""
    width = x.shape[1]
    total = splat(_ZERO)
    for j in range(0, width, LANES):
        left = width - j
        value = load_up_to(at(x, (i, j)), left)
        if added:
            value = value + load_up_to(at(residual, (i, j)), left)
        if len(bias):
            value = value + load_up_to(at(bias, (j,)), left)
        total = total + value
        store_up_to(at(out, (i, j)), value, left)
    return total


@part
def _normalize_row(
    x: HostArray, i: int, gamma: HostArray, beta: HostArray, eps: Any, total: Any
) -> None:
    """Overwrite row ``i``, which lies in the cache; ``total`` is its sum, lane by lane."""
    width = x.shape[1]
    mean = splat(lanes_sum(total) / np.float32(width))
    squares = splat(_ZERO)
    for j in range(0, width, LANES):
        off = first_lanes(load_up_to(at(x, (i, j)), width - j) - mean, width - j, _ZERO)
        squares = fma(off, off, squares)
    deviation = np.sqrt(lanes_sum(squares) / np.float32(width) + np.float32(eps))
    scale = splat(np.float32(1) / deviation)
    for j in range(0, width, LANES):
        left = width - j
        place = at(x, (i, j))
        off = (load_up_to(place, left) - mean) * scale
        scaled = fma(off, load_up_to(at(gamma, (j,)), left), load_up_to(at(beta, (j,)), left))
        store_up_to(place, scaled, left)


@part
def norm_share(job: Any, share: int, shares: int) -> None:
    """The rows of one of ``shares`` threads."""
    rows, width = job["rows"], job["width"]
    x = rows_at(job["x"], job["x_step"], rows, width)
    residual = rows_at(job["residual"], job["residual_step"], rows, width)
    bias = carray(pointer_to(job["bias"], np.float32), (job["biased"],))
    gamma = carray(pointer_to(job["gamma"], np.float32), (width,))
    beta = carray(pointer_to(job["beta"], np.float32), (width,))
    out = rows_at(job["out"], job["out_step"], rows, width)
    for i in range(rows * share // shares, rows * (share + 1) // shares):
        total = _sum_row(x, residual, job["residual"] != 0, bias, i, out)
        _normalize_row(out, i, gamma, beta, job["eps"], total)
