"""The norm that other kernels end with: one row, which lies in the cache by then."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.backend.jit.compiled import part
from gpudb.backend.jit.lanes import first_lanes, lanes_sum
from gpudb.backend.jit.llvm import LANES
from gpudb.backend.jit.vectors import at, fma, load_up_to, splat, store_up_to
from gpudb.types import HostArray

_ZERO = np.float32(0)


@part
def normalize_row(
    x: HostArray, i: int, gamma: HostArray, beta: HostArray, eps: Any, total: Any
) -> None:
    """Overwrite row ``i`` with its layer-norm.

    Parameters
    ----------
    total
        Vector of sums of its elements, lane by lane.
    """
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
