"""Join row numbers with the rows of a table."""

from __future__ import annotations

from dataclasses import dataclass

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GatherRows(PhysicalOp):
    """``(1, r, w)``, ``(1, n)`` -> ``(1, n, w)``."""

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        table, rows = inputs
        return ctx.backend.take(table[0], rows[0])[None]

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes).nbytes
        return Cost(read=out + self.children[1].out.bind(sizes).nbytes, written=out)
