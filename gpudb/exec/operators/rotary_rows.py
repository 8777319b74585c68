"""Rotary positions: columns of each head turned by the position of their row."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.kernels.rotary import rotary
from gpudb.kernels.rows import PIECE_NBYTES
from gpudb.types import Sizes

FLOPS_PER_ELEMENT = 3
"""Two products and their sum; sines and cosines are shared by all heads."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RotaryRows(PhysicalOp):
    """Row panels ``(p, r, heads·d)``, positions ``(p, r)`` -> ``(p, r, heads·d)``.

    Rows of padding are zeros, and stay so.
    """

    heads: int
    base: float
    part: int
    interleaved: bool

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        x, positions = inputs
        rows = x.reshape(x.shape[0] * x.shape[1], x.shape[2]) if len(x) != 1 else x[0]
        args = (self.heads, self.base, self.part, self.interleaved)
        return ctx.backend.call(rotary, rows, positions.reshape(-1), *args).reshape(x.shape)

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        # Sines, cosines and products of one piece of the rows.
        piece = min(out.nbytes, max(PIECE_NBYTES, out.nbytes // max(1, out.numbers[0])))
        return Cost(
            flops=FLOPS_PER_ELEMENT * prod(out.numbers),
            read=self.input_nbytes(sizes),
            written=out.nbytes,
            scratch=2 * piece,
        )

    def detail(self) -> str:
        pairs = "neighbours" if self.interleaved else "halves"
        return f"{self.heads} heads, {self.part} columns each, {pairs}"
