"""A function of one matrix times another, in one pass over both."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.kernels.gated import gated
from gpudb.kernels.rows import PIECE_NBYTES
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GatedRows(PhysicalOp):
    """x, y ``(1, n, w)``, which may be columns of one matrix -> ``(1, n, w)``."""

    fn: str

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        x, y = (i[0] for i in inputs)
        return ctx.backend.call(gated, x, y, self.fn)[None]

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        return Cost(
            flops=2 * prod(out.numbers),
            read=self.input_nbytes(sizes),
            written=out.nbytes,
            scratch=4 * min(out.nbytes, max(PIECE_NBYTES, out.nbytes // max(1, out.numbers[0]))),
        )

    def detail(self) -> str:
        return self.fn
