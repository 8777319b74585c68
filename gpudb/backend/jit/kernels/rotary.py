"""Rotary positions of heads whose pairs lie half a part apart."""

from __future__ import annotations

import numpy as np
from numba import types

from gpudb.backend.jit.compiled import compiled, matrix, written
from gpudb.backend.jit.llvm import LANES
from gpudb.backend.jit.vectors import at, load_up_to, store_up_to
from gpudb.kernels.rotary import reference, turns
from gpudb.types import HostArray

f4 = types.float32


@compiled(matrix(f4), matrix(f4), matrix(f4), types.int64, written(f4))
def _run(x: HostArray, cos: HostArray, sin: HostArray, heads: int, out: HostArray) -> None:
    half, width = cos.shape[1], out.shape[1] // heads
    for i in range(out.shape[0]):
        for first in range(0, heads * width, width):
            for j in range(0, half, LANES):
                left = half - j
                c, s = load_up_to(at(cos, (i, j)), left), load_up_to(at(sin, (i, j)), left)
                a = load_up_to(at(x, (i, first + j)), left)
                b = load_up_to(at(x, (i, first + half + j)), left)
                store_up_to(at(out, (i, first + j)), a * c - b * s, left)
                store_up_to(at(out, (i, first + half + j)), b * c + a * s, left)
            for j in range(2 * half, width, LANES):
                kept = load_up_to(at(x, (i, first + j)), width - j)
                store_up_to(at(out, (i, first + j)), kept, width - j)


def rotary(
    x: HostArray, positions: HostArray, heads: int, base: float, part: int, interleaved: bool
) -> HostArray:
    """As :mod:`gpudb.kernels.rotary`, whose reference turns pairs of neighbours."""
    if interleaved:
        return np.asarray(reference(x, positions, heads, base, part, interleaved))
    out = np.empty(x.shape, np.float32)
    _run(x, *turns(positions, base, part), heads, out)
    return out
