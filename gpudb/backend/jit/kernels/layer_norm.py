"""Layer-norm of each row; what lies behind its ``gamma`` is padding and becomes zero."""

from __future__ import annotations

import numpy as np
from numba import types

from gpudb.backend.jit.compiled import array, compiled, matrix
from gpudb.backend.jit.kernels.normalize_row import normalize_row
from gpudb.backend.jit.llvm import LANES
from gpudb.backend.jit.vectors import at, load_up_to, splat, store_up_to
from gpudb.types import HostArray

f4 = types.float32


@compiled(matrix(f4), array(f4), array(f4), types.float64, matrix(f4))
def _run(x: HostArray, gamma: HostArray, beta: HostArray, eps: float, out: HostArray) -> None:
    width = len(gamma)
    for i in range(x.shape[0]):
        total = splat(np.float32(0))
        for j in range(0, width, LANES):
            row = load_up_to(at(x, (i, j)), width - j)
            total = total + row
            store_up_to(at(out, (i, j)), row, width - j)
        normalize_row(out, i, gamma, beta, eps, total)


def layer_norm(x: HostArray, gamma: HostArray, beta: HostArray, eps: float) -> HostArray:
    """As :mod:`gpudb.kernels.layer_norm`."""
    out = np.empty(x.shape, np.float32)
    width = len(gamma)
    out[:, width:] = 0
    _run(x, gamma, beta, eps, out[:, :width])
    return out
