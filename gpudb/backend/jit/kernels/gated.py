"""``fn(x) · y`` in one pass over both."""

from __future__ import annotations

import numpy as np
from numba import types

from gpudb.backend.jit.activations import ACTIVATIONS, activate
from gpudb.backend.jit.compiled import compiled, matrix, written
from gpudb.backend.jit.llvm import LANES
from gpudb.backend.jit.vectors import at, load_up_to, store_up_to
from gpudb.kernels.gated import reference
from gpudb.types import HostArray

f4 = types.float32


@compiled(matrix(f4), matrix(f4), types.int64, written(f4))
def _run(x: HostArray, y: HostArray, activation: int, out: HostArray) -> None:
    width = out.shape[1]
    for i in range(out.shape[0]):
        for j in range(0, width, LANES):
            left = width - j
            gate = activate(load_up_to(at(x, (i, j)), left), activation)
            store_up_to(at(out, (i, j)), gate * load_up_to(at(y, (i, j)), left), left)


def gated(x: HostArray, y: HostArray, fn: str) -> HostArray:
    """As :mod:`gpudb.kernels.gated`, whose reference has the other functions."""
    if fn not in ACTIVATIONS:
        return np.asarray(reference(x, y, fn))
    out = np.empty(x.shape, np.float32)
    _run(x, y, ACTIVATIONS[fn], out)
    return out
