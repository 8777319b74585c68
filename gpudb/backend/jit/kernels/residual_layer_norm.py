"""``layer_norm(x + bias + residual)`` in one pass over each row."""

from __future__ import annotations

import numpy as np

from gpudb.backend.jit.norms import EPS, NORM, describe
from gpudb.backend.jit.records import new_record
from gpudb.backend.jit.rows import new_rows, one_after_the_other
from gpudb.backend.jit.team import NORMALIZE, run
from gpudb.types import HostArray

NO_BIAS = np.empty(0, np.float32)


def residual_layer_norm(
    x: HostArray,
    bias: HostArray | None,
    residual: HostArray,
    gamma: HostArray,
    beta: HostArray,
    eps: float,
) -> HostArray:
    """As :mod:`gpudb.kernels.residual_layer_norm`."""
    x, residual = one_after_the_other(x), one_after_the_other(residual)
    bias = NO_BIAS if bias is None else bias
    out = new_rows(*residual.shape)
    job = new_record(NORM)
    job.view(np.float64)[EPS] = eps
    describe(job, x, residual, bias, gamma, beta, out)
    run(NORMALIZE, job, x, residual, bias, gamma, beta, out)
    return out
