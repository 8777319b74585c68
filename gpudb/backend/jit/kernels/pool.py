"""One row per sequence, optionally normalised."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from gpudb.backend.jit.compiled import array, compiled, matrix, part, written
from gpudb.backend.jit.lanes import lanes_sum
from gpudb.backend.jit.llvm import LANES
from gpudb.backend.jit.vectors import at, fma, larger_or_nan, load_up_to, splat, store_up_to
from gpudb.types import HostArray

f4 = types.float32
MEAN, MAX, CLS, LAST, ROOT_MEAN, RISING_MEAN = range(6)
KINDS = {
    "mean": MEAN,
    "max": MAX,
    "cls": CLS,
    "last": LAST,
    "root_mean": ROOT_MEAN,
    "rising_mean": RISING_MEAN,
}


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


@compiled(matrix(f4), array(types.int64), types.int64, types.boolean, types.float64, written(f4))
def _run(
    x: HostArray, offsets: HostArray, kind: int, normalized: bool, eps: float, out: HostArray
) -> None:
    width = x.shape[1]
    for s in range(len(offsets) - 1):
        if offsets[s] == offsets[s + 1]:
            out[s] = 0
            continue
        for j in range(0, width, LANES):
            value = _pooled(x, offsets[s], offsets[s + 1], j, kind)
            store_up_to(at(out, (s, j)), value, width - j)
        if normalized:
            least = max(_norm(out, s), np.float32(eps))
            for j in range(0, width, LANES):
                place = at(out, (s, j))
                value = load_up_to(place, width - j) / splat(least)
                store_up_to(place, value, width - j)


def pool(x: HostArray, offsets: HostArray, kind: str, eps: float | None) -> HostArray:
    """As :mod:`gpudb.kernels.pool`."""
    out = np.empty((len(offsets) - 1, x.shape[1]), np.float32)
    rows = offsets.astype(np.int64)
    _run(x, rows, KINDS[kind], eps is not None, 0.0 if eps is None else eps, out)
    return out
