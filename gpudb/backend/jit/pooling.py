"""One row per sequence, optionally normalised."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, types

from gpudb.backend.jit.compiled import array, compiled, matrix, part, written
from gpudb.backend.jit.lanes import lanes_sum
from gpudb.backend.jit.llvm import LANES
from gpudb.backend.jit.memory import pointer_to
from gpudb.backend.jit.records import places, rows_at, step_of
from gpudb.backend.jit.vectors import at, fma, larger_or_nan, load_up_to, splat, store_up_to
from gpudb.types import HostArray

POOLING = np.dtype(
    [
        *((name, "i8") for name in ("x", "x_step", "rows", "width")),
        *((name, "i8") for name in ("offsets", "sequences", "kind", "normalized")),
        ("eps", "f8"),
        *((name, "i8") for name in ("out", "out_step")),
    ]
)
"""A pooling as it is asked for."""

_X, _X_STEP, _ROWS, _WIDTH = places(POOLING, "x", "x_step", "rows", "width")
_OFFSETS, _SEQUENCES, KIND, NORMALIZED = places(
    POOLING, "offsets", "sequences", "kind", "normalized"
)
EPS, _OUT, _OUT_STEP = places(POOLING, "eps", "out", "out_step")

_ZERO = np.float32(0)

MEAN, MAX, CLS, LAST, ROOT_MEAN, RISING_MEAN = range(6)
KINDS = {
    "mean": MEAN,
    "max": MAX,
    "cls": CLS,
    "last": LAST,
    "root_mean": ROOT_MEAN,
    "rising_mean": RISING_MEAN,
}


@compiled(written(types.int64, 1), matrix(types.float32), array(types.int64), matrix(types.float32))
def describe(job: HostArray, x: HostArray, offsets: HostArray, out: HostArray) -> None:
    """Write into a :data:`POOLING` where its arrays are."""
    job[_X], job[_X_STEP] = at(x, (0, 0)), step_of(x)
    job[_ROWS], job[_WIDTH] = x.shape
    job[_OFFSETS], job[_SEQUENCES] = at(offsets, (0,)), len(offsets) - 1
    job[_OUT], job[_OUT_STEP] = at(out, (0, 0)), step_of(out)


@part
def _divisor(rows: np.float32, kind: int) -> np.float32:
    """What a sum of so many rows is divided by."""
    if kind == ROOT_MEAN:
        return np.float32(np.sqrt(rows))
    if kind == RISING_MEAN:
        return rows * (rows + np.float32(1)) / np.float32(2)
    return rows


@part
def _pooled(x: HostArray, first: int, last: int, j: int, kind: int) -> Any:
    """Elements ``j`` and the following of one sequence, which has the rows first to last - 1."""
    left = x.shape[1] - j
    value = load_up_to(at(x, (last - 1 if kind == LAST else first, j)), left)
    if kind in (CLS, LAST):
        return value
    for i in range(first + 1, last):
        row = load_up_to(at(x, (i, j)), left)
        if kind == MAX:
            value = larger_or_nan(value, row)
        elif kind == RISING_MEAN:
            value = fma(row, splat(np.float32(i - first + 1)), value)
        else:
            value = value + row
    return value if kind == MAX else value / splat(_divisor(np.float32(last - first), kind))


@part
def _norm(x: HostArray, i: int) -> np.float32:
    """Euclidean norm of a row; in double where squares leave the range of float32."""
    width = x.shape[1]
    squares = splat(np.float32(0))
    for j in range(0, width, LANES):
        value = load_up_to(at(x, (i, j)), width - j)
        squares = fma(value, value, squares)
    total = lanes_sum(squares)
    if np.isfinite(total):
        return np.float32(np.sqrt(total))
    wide = 0.0
    for j in range(width):
        wide += np.float64(x[i, j]) * np.float64(x[i, j])
    return np.float32(np.sqrt(wide))


@part
def run_pooling(job: Any) -> None:
    """Run a :data:`POOLING`."""
    sequences, width = job["sequences"], job["width"]
    x = rows_at(job["x"], job["x_step"], job["rows"], width)
    offsets = carray(pointer_to(job["offsets"], np.int64), (sequences + 1,))
    out = rows_at(job["out"], job["out_step"], sequences, width)
    for s in range(sequences):
        if offsets[s] == offsets[s + 1]:
            out[s] = _ZERO
            continue
        for j in range(0, width, LANES):
            value = _pooled(x, offsets[s], offsets[s + 1], j, job["kind"])
            store_up_to(at(out, (s, j)), value, width - j)
        if job["normalized"]:
            least = max(_norm(out, s), np.float32(job["eps"]))
            for j in range(0, width, LANES):
                place = at(out, (s, j))
                value = load_up_to(place, width - j) / splat(least)
                store_up_to(place, value, width - j)
