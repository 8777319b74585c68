"""One row per sequence."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.kernels.pool import pool
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PoolRows(PhysicalOp):
    """``(1, n, w)``, offsets ``(1, s + 1)`` -> ``(1, s, w)``; normalised when ``eps`` is given."""

    kind: str
    eps: float | None

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        x, offsets = (i[0] for i in inputs)
        return ctx.backend.call(pool, x, offsets, self.kind, self.eps)[None]

    def cost(self, sizes: Sizes) -> Cost:
        x, out = self.children[0].out.bind(sizes), self.out.bind(sizes)
        flops = prod(x.numbers) + (3 * prod(out.numbers) if self.eps is not None else 0)
        return Cost(flops, self.input_nbytes(sizes), out.nbytes, scratch=out.nbytes)

    def detail(self) -> str:
        return self.kind if self.eps is None else f"{self.kind}, normalise"
