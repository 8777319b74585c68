"""``layer_norm(x + bias + residual)`` in one pass over each row."""

from __future__ import annotations

import numpy as np
from numba import types

from gpudb.backend.jit.compiled import array, compiled, matrix, written
from gpudb.backend.jit.kernels.normalize_row import normalize_row
from gpudb.backend.jit.llvm import LANES
from gpudb.backend.jit.vectors import at, load_up_to, splat, store_up_to
from gpudb.types import HostArray

f4 = types.float32
NO_BIAS = np.empty(0, np.float32)


@compiled(matrix(f4), array(f4), matrix(f4), array(f4), array(f4), types.float64, written(f4))
def _run(
    x: HostArray,
    bias: HostArray,
    residual: HostArray,
    gamma: HostArray,
    beta: HostArray,
    eps: float,
    out: HostArray,
) -> None:
    width = x.shape[1]
    for i in range(x.shape[0]):
        total = splat(np.float32(0))
        for j in range(0, width, LANES):
            left = width - j
            added = load_up_to(at(x, (i, j)), left) + load_up_to(at(residual, (i, j)), left)
            if len(bias):
                added = added + load_up_to(at(bias, (j,)), left)
            total = total + added
            store_up_to(at(out, (i, j)), added, left)
        normalize_row(out, i, gamma, beta, eps, total)


def residual_layer_norm(
    x: HostArray,
    bias: HostArray | None,
    residual: HostArray,
    gamma: HostArray,
    beta: HostArray,
    eps: float,
) -> HostArray:
    """As :mod:`gpudb.kernels.residual_layer_norm`."""
    out = np.empty(residual.shape, np.float32)
    _run(x, NO_BIAS if bias is None else bias, residual, gamma, beta, eps, out)
    return out
