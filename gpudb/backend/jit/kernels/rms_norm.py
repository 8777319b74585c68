"""Root-mean-square norm of each row."""

from __future__ import annotations

import numpy as np
from numba import types

from gpudb.backend.jit.compiled import array, compiled, matrix
from gpudb.backend.jit.lanes import lanes_sum
from gpudb.backend.jit.llvm import LANES
from gpudb.backend.jit.vectors import at, fma, load_up_to, splat, store_up_to
from gpudb.types import HostArray

f4 = types.float32


@compiled(matrix(f4), array(f4), types.float64, matrix(f4))
def _run(x: HostArray, gamma: HostArray, eps: float, out: HostArray) -> None:
    width = len(gamma)
    for i in range(x.shape[0]):
        squares = splat(np.float32(0))
        for j in range(0, width, LANES):
            row = load_up_to(at(x, (i, j)), width - j)
            squares = fma(row, row, squares)
        root = np.sqrt(lanes_sum(squares) / np.float32(width) + np.float32(eps))
        for j in range(0, width, LANES):
            left = width - j
            scaled = load_up_to(at(x, (i, j)), left) / splat(root)
            store_up_to(at(out, (i, j)), scaled * load_up_to(at(gamma, (j,)), left), left)


def rms_norm(x: HostArray, gamma: HostArray, eps: float) -> HostArray:
    """As :mod:`gpudb.kernels.rms_norm`."""
    out = np.empty(x.shape, np.float32)
    _run(x, gamma, eps, out)
    return out
