"""Multiply two matrices that are one block each: the coalesced form of a block join."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DenseGemm(PhysicalOp):
    """One GEMM: ``(1, i, k)``, ``(1, k, j)`` or ``(1, j, k)`` transposed -> ``(1, i, j)``."""

    transpose_right: bool

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        left, right = inputs
        return ctx.backend.matmul(left[0], right[0], self.transpose_right)[None]

    def cost(self, sizes: Sizes) -> Cost:
        left, out = self.children[0].out.bind(sizes), self.out.bind(sizes)
        return Cost(
            flops=2 * prod(out.numbers) * left.numbers[1],
            read=self.input_nbytes(sizes),
            written=out.nbytes,
        )
