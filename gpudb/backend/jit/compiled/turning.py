"""Rotary positions of heads whose pairs lie half a part apart."""

from __future__ import annotations

from typing import Any

from gpudb.backend.jit.compiled.arrays import at, rows_at
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.compiled.vectors import load_up_to, store_up_to
from gpudb.types import HostArray


@part
def _turn_row(
    x: HostArray, i: int, first: int, width: int, cos: HostArray, sin: HostArray, out: HostArray
) -> None:
    """One head, which begins at a column, of row ``i``."""
    half = cos.shape[1]
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


@part
def turning_share(job: Any, share: int, shares: int) -> None:
    """A :data:`gpudb.backend.jit.records.TURNING`: the rows of one of ``shares`` threads."""
    rows, width, half = job["rows"], job["width"], job["half"]
    x = rows_at(job["x"], job["x_step"], rows, width)
    cos = rows_at(job["cos"], job["cos_step"], rows, half)
    sin = rows_at(job["sin"], job["sin_step"], rows, half)
    out = rows_at(job["out"], job["out_step"], rows, width)
    head = width // job["heads"]
    for i in range(rows * share // shares, rows * (share + 1) // shares):
        for first in range(0, job["heads"] * head, head):
            _turn_row(x, i, first, head, cos, sin, out)
