"""Root-mean-square norm of each row."""

from __future__ import annotations

from gpudb.backend.jit.records import SCALE, matrix, record
from gpudb.backend.jit.rows import new_rows, one_after_the_other
from gpudb.backend.jit.team import run
from gpudb.types import HostArray


def rms_norm(x: HostArray, gamma: HostArray, eps: float) -> HostArray:
    """As :mod:`gpudb.kernels.rms_norm`."""
    x, out = one_after_the_other(x), new_rows(*x.shape)
    job = record(
        SCALE,
        **matrix("x", x),
        rows=len(x),
        width=len(gamma),
        gamma=gamma.ctypes.data,
        eps=eps,
        **matrix("out", out),
    )
    run(SCALE, job, x, gamma, out)
    return out
