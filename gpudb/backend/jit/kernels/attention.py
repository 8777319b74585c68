"""Attention within sequences."""

from __future__ import annotations

import numpy as np

from gpudb.backend.jit.heads import ATTENTION, HEADS, SCALE, describe
from gpudb.backend.jit.llvm import LANES
from gpudb.backend.jit.records import new_record
from gpudb.backend.jit.rows import new_rows, one_after_the_other, whole_numbers
from gpudb.backend.jit.team import ATTEND, run
from gpudb.kernels.attention import along_distances, reference
from gpudb.types import HostArray

NO_BIAS = np.empty(0, np.float32)
NO_LINES = np.empty((0, 0), np.float32)


def attention(
    q: HostArray,
    k: HostArray,
    v: HostArray,
    offsets: HostArray,
    heads: int,
    scale: float,
    causal: bool = False,
    key_mask: HostArray | None = None,
    bias: HostArray | None = None,
    relative: HostArray | None = None,
) -> HostArray:
    """As :mod:`gpudb.kernels.attention`, whose reference does what needs a mask."""
    if causal or key_mask is not None:
        args = (q, k, v, offsets, heads, scale, causal, key_mask, bias, relative)
        return np.asarray(reference(*args))
    q, k, v = one_after_the_other(q), one_after_the_other(k), one_after_the_other(v)
    out = new_rows(*v.shape)
    out[offsets[-1] :] = 0  # of no sequence
    if not out.size:
        return out
    added = NO_BIAS if bias is None else np.ascontiguousarray(bias)
    rows = whole_numbers(offsets)
    lines = NO_LINES if relative is None else _lines(relative, int(np.diff(rows).max(initial=1)))
    job = new_record(ATTENTION)
    job[HEADS] = heads
    job.view(np.float64)[SCALE] = scale
    describe(job, q, k, v, added, rows, lines, out)
    run(ATTEND, job, q, k, v, added, rows, lines, out)
    return out


def _lines(relative: HostArray, longest: int) -> HostArray:
    """A number for each distance, and as many more as one vector may read behind the last."""
    lines = np.pad(along_distances(relative, longest), ((0, 0), (0, LANES)))
    return np.ascontiguousarray(lines)
