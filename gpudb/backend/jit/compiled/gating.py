"""``fn(x) · y`` in one pass over both."""

from __future__ import annotations

from typing import Any

from gpudb.backend.jit.compiled.activations import activate
from gpudb.backend.jit.compiled.arrays import at, rows_at
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.compiled.vectors import load_up_to, store_up_to


@part
def gating_share(job: Any, share: int, shares: int) -> None:
    """A :data:`gpudb.backend.jit.records.GATING`: the rows of one of ``shares`` threads."""
    rows, width, activation = job["rows"], job["width"], job["activation"]
    x = rows_at(job["x"], job["x_step"], rows, width)
    y = rows_at(job["y"], job["y_step"], rows, width)
    out = rows_at(job["out"], job["out_step"], rows, width)
    for i in range(rows * share // shares, rows * (share + 1) // shares):
        for j in range(0, width, LANES):
            left = width - j
            gate = activate(load_up_to(at(x, (i, j)), left), activation)
            store_up_to(at(out, (i, j)), gate * load_up_to(at(y, (i, j)), left), left)
