"""Layer-norm of each row; what lies behind its ``gamma`` is padding and becomes zero."""

from __future__ import annotations

import numpy as np

from gpudb.backend.jit.records import NORMALIZE, added, matrix, record
from gpudb.backend.jit.rows import new_rows, one_after_the_other
from gpudb.backend.jit.team import run
from gpudb.types import HostArray


def layer_norm(x: HostArray, gamma: HostArray, beta: HostArray, eps: float) -> HostArray:
    """As :mod:`gpudb.kernels.layer_norm`."""
    # No job sets padding: a program that needs it would leave what was there before.
    out = new_rows(*x.shape) if len(gamma) == x.shape[1] else np.zeros(x.shape, np.float32)
    return normalized(x, None, None, gamma, beta, eps, out)


def normalized(
    x: HostArray,
    residual: HostArray | None,
    bias: HostArray | None,
    gamma: HostArray,
    beta: HostArray,
    eps: float,
    out: HostArray,
) -> HostArray:
    """Run a norm of ``x + bias + residual``, of what there is, into ``out``."""
    x = one_after_the_other(x)
    other = {}
    if residual is not None:
        residual = one_after_the_other(residual)
        other = matrix("residual", residual)
    job = record(
        NORMALIZE,
        **matrix("x", x),
        rows=len(x),
        width=len(gamma),
        **other,
        **added(bias),
        gamma=gamma.ctypes.data,
        beta=beta.ctypes.data,
        eps=eps,
        **matrix("out", out),
    )
    run(NORMALIZE, job, x, residual, bias, gamma, beta, out)
    return out
