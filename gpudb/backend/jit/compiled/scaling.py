"""Root-mean-square norm of each row."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.backend.jit.compiled.arrays import array_at, at, rows_at
from gpudb.backend.jit.compiled.lanes import lanes_sum
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.compiled.vectors import fma, load_up_to, splat, store_up_to


@part
def scaling_share(job: Any, share: int, shares: int) -> None:
    """A :data:`gpudb.backend.jit.records.SCALING`: the rows of one of ``shares`` threads."""
    rows, width, eps = job["rows"], job["width"], np.float32(job["eps"])
    x = rows_at(job["x"], job["x_step"], rows, width)
    gamma = array_at(job["gamma"], np.float32, (width,))
    out = rows_at(job["out"], job["out_step"], rows, width)
    for i in range(rows * share // shares, rows * (share + 1) // shares):
        squares = splat(np.float32(0))
        for j in range(0, width, LANES):
            row = load_up_to(at(x, (i, j)), width - j)
            squares = fma(row, row, squares)
        root = np.sqrt(lanes_sum(squares) / np.float32(width) + eps)
        for j in range(0, width, LANES):
            left = width - j
            scaled = load_up_to(at(x, (i, j)), left) / splat(root)
            store_up_to(at(out, (i, j)), scaled * load_up_to(at(gamma, (j,)), left), left)
