"""Attention within sequences."""

from __future__ import annotations

import numpy as np

from gpudb.backend.jit.records import ATTEND, added, matrix, record
from gpudb.backend.jit.rows import new_rows, one_after_the_other, whole_numbers
from gpudb.backend.jit.target import TARGET
from gpudb.backend.jit.team import run
from gpudb.kernels.attention import along_distances, reference
from gpudb.types import HostArray


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
    halves: bool = False,
) -> HostArray:
    """As :mod:`gpudb.kernels.attention`, whose reference does what needs a mask.

    ``halves`` has both factors of its products rounded to bfloat16.
    """
    if causal or key_mask is not None:
        args = (q, k, v, offsets, heads, scale, causal, key_mask, bias, relative)
        return np.asarray(reference(*args))
    q, k, v = one_after_the_other(q), one_after_the_other(k), one_after_the_other(v)
    out = new_rows(*v.shape)
    out[offsets[-1] :] = 0  # of no sequence
    if not out.size:
        return out
    if bias is not None:
        bias = np.ascontiguousarray(bias)
    starts = whole_numbers(offsets)
    lines = None if relative is None else _lines(relative, int(np.diff(starts).max(initial=1)))
    by_distance = {}
    if lines is not None:
        by_distance = {"lines": lines.ctypes.data, "lined": len(lines), "line": lines.shape[1]}
    job = record(
        ATTEND,
        **matrix("q", q),
        **matrix("k", k),
        **matrix("v", v),
        **added(bias),
        offsets=starts.ctypes.data,
        sequences=len(starts) - 1,
        heads=heads,
        **by_distance,
        scale=scale,
        halves=halves,
        **matrix("out", out),
        rows=len(out),
        width=out.shape[1],
    )
    run(ATTEND, job, q, k, v, bias, starts, lines, out)
    return out


def _lines(relative: HostArray, longest: int) -> HostArray:
    """A number for each distance, and as many more as one vector may read behind the last."""
    lines = np.pad(along_distances(relative, longest), ((0, 0), (0, TARGET.lanes)))
    return np.ascontiguousarray(lines)
