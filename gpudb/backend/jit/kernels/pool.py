"""One row per sequence, optionally normalised."""

from __future__ import annotations

from collections.abc import Mapping

from gpudb.backend.jit.records import (
    CLS,
    LAST,
    MAX,
    MEAN,
    POOL,
    RISING_MEAN,
    ROOT_MEAN,
    matrix,
    record,
)
from gpudb.backend.jit.rows import new_rows, one_after_the_other, whole_numbers
from gpudb.backend.jit.team import run
from gpudb.types import HostArray

KINDS: Mapping[str, int] = {
    "mean": MEAN,
    "max": MAX,
    "cls": CLS,
    "last": LAST,
    "root_mean": ROOT_MEAN,
    "rising_mean": RISING_MEAN,
}


def pool(x: HostArray, offsets: HostArray, kind: str, eps: float | None) -> HostArray:
    """As :mod:`gpudb.kernels.pool`."""
    x, starts = one_after_the_other(x), whole_numbers(offsets)
    out = new_rows(len(offsets) - 1, x.shape[1])
    job = record(
        POOL,
        **matrix("x", x),
        rows=len(x),
        width=x.shape[1],
        offsets=starts.ctypes.data,
        sequences=len(out),
        kind=KINDS[kind],
        normalized=eps is not None,
        eps=0.0 if eps is None else eps,
        **matrix("out", out),
    )
    run(POOL, job, x, starts, out)
    return out
