"""Rotary positions of heads whose pairs lie half a part apart."""

from __future__ import annotations

import numpy as np

from gpudb.backend.jit.records import TURN, matrix, record
from gpudb.backend.jit.rows import new_rows, one_after_the_other
from gpudb.backend.jit.team import run
from gpudb.kernels.rotary import reference, turns
from gpudb.types import HostArray


def rotary(
    x: HostArray, positions: HostArray, heads: int, base: float, part: int, interleaved: bool
) -> HostArray:
    """As :mod:`gpudb.kernels.rotary`, whose reference turns pairs of neighbours."""
    if interleaved:
        return np.asarray(reference(x, positions, heads, base, part, interleaved))
    x, out = one_after_the_other(x), new_rows(*x.shape)
    cos, sin = turns(positions, base, part)
    job = record(
        TURN,
        **matrix("x", x),
        rows=len(x),
        width=x.shape[1],
        heads=heads,
        **matrix("cos", cos),
        **matrix("sin", sin),
        half=cos.shape[1],
        **matrix("out", out),
    )
    run(TURN, job, x, cos, sin, out)
    return out
