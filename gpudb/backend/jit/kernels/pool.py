"""One row per sequence, optionally normalised."""

from __future__ import annotations

import numpy as np

from gpudb.backend.jit import pooling
from gpudb.backend.jit.pooling import KINDS, POOLING
from gpudb.backend.jit.records import new_record
from gpudb.backend.jit.rows import new_rows, one_after_the_other, whole_numbers
from gpudb.backend.jit.team import POOL, run
from gpudb.types import HostArray


def pool(x: HostArray, offsets: HostArray, kind: str, eps: float | None) -> HostArray:
    """As :mod:`gpudb.kernels.pool`."""
    x, rows = one_after_the_other(x), whole_numbers(offsets)
    out = new_rows(len(offsets) - 1, x.shape[1])
    job = new_record(POOLING)
    job[pooling.KIND], job[pooling.NORMALIZED] = KINDS[kind], eps is not None
    job.view(np.float64)[pooling.EPS] = 0.0 if eps is None else eps
    pooling.describe(job, x, rows, out)
    run(POOL, job, x, rows, out)
    return out
