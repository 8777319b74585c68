"""Layer-norm of each row; what lies behind its ``gamma`` is padding and becomes zero."""

from __future__ import annotations

import numpy as np

from gpudb.backend.jit.norms import EPS, NORM, describe
from gpudb.backend.jit.records import new_record
from gpudb.backend.jit.rows import new_rows, one_after_the_other
from gpudb.backend.jit.team import NORMALIZE, run
from gpudb.types import HostArray

NO_BIAS, NO_RESIDUAL = np.empty(0, np.float32), np.empty((0, 0), np.float32)


def layer_norm(x: HostArray, gamma: HostArray, beta: HostArray, eps: float) -> HostArray:
    """As :mod:`gpudb.kernels.layer_norm`."""
    # No job sets padding: a program that needs it would leave what was there before.
    out = new_rows(*x.shape) if len(gamma) == x.shape[1] else np.zeros(x.shape, np.float32)
    return normalized(x, NO_RESIDUAL, NO_BIAS, gamma, beta, eps, out)


def normalized(
    x: HostArray,
    residual: HostArray,
    bias: HostArray,
    gamma: HostArray,
    beta: HostArray,
    eps: float,
    out: HostArray,
) -> HostArray:
    """Run a norm of ``x + bias + residual``, either of which may be empty, into ``out``."""
    x, residual = one_after_the_other(x), one_after_the_other(residual)
    job = new_record(NORM)
    job.view(np.float64)[EPS] = eps
    describe(job, x, residual, bias, gamma, beta, out)
    run(NORMALIZE, job, x, residual, bias, gamma, beta, out)
    return out
