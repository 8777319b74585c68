"""One row per sequence, optionally normalised."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.backend.jit.compiled.arrays import array_at, at, rows_at
from gpudb.backend.jit.compiled.lanes import lanes_sum
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.compiled.vectors import (
    fma,
    larger_or_nan,
    load_up_to,
    splat,
    store_up_to,
)
from gpudb.backend.jit.records import CLS, LAST, MAX, RISING_MEAN, ROOT_MEAN
from gpudb.types import HostArray

_ZERO = np.float32(0)


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
    """Run a :data:`gpudb.backend.jit.records.POOLING`."""
    sequences, width = job["sequences"], job["width"]
    x = rows_at(job["x"], job["x_step"], job["rows"], width)
    offsets = array_at(job["offsets"], np.int64, (sequences + 1,))
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
