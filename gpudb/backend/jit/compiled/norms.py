"""Layer-norm of each row of ``x + bias + residual``, in one pass over the row."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.backend.jit.compiled.arrays import array_at, at, rows_at
from gpudb.backend.jit.compiled.lanes import first_lanes, lanes_sum
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.compiled.vectors import fma, load_up_to, splat, store_up_to
from gpudb.types import HostArray

_ZERO = np.float32(0)


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
    """A :data:`gpudb.backend.jit.records.NORM`: the rows of one of ``shares`` threads."""
    rows, width = job["rows"], job["width"]
    x = rows_at(job["x"], job["x_step"], rows, width)
    residual = rows_at(job["residual"], job["residual_step"], rows, width)
    bias = array_at(job["bias"], np.float32, (job["biased"],))
    gamma = array_at(job["gamma"], np.float32, (width,))
    beta = array_at(job["beta"], np.float32, (width,))
    out = rows_at(job["out"], job["out_step"], rows, width)
    for i in range(rows * share // shares, rows * (share + 1) // shares):
        total = _sum_row(x, residual, job["residual"] != 0, bias, i, out)
        _normalize_row(out, i, gamma, beta, job["eps"], total)
