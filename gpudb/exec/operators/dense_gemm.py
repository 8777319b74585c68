"""Multiply two matrices that are one block each: the coalesced form of a block join."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, Launch, Panels, PhysicalOp
from gpudb.exec.operators.pack_weight import as_read
from gpudb.kernels.concat_columns import concat_columns
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DenseGemm(PhysicalOp):
    """One GEMM: ``(1, i, k)``, ``(1, k, j)`` or ``(1, j, k)`` transposed -> ``(1, i, j)``."""

    transpose_right: bool

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        left, right = inputs
        return ctx.backend.matmul(left[0], right[0], self.transpose_right)[None]

    @property
    def panelled(self) -> tuple[int, ...]:
        return (0, 1) if self.transpose_right else (0,)

    def run_panels(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        left, right = inputs
        matmul = ctx.backend.matmul
        if isinstance(left, Panels):
            return ctx.backend.concat(
                [matmul(rows, right[0], self.transpose_right) for _, rows in left]
            )[None]
        weight = self.children[1]
        parts = [
            matmul(left[0], as_read(ctx.backend, weight, rows), transpose_b=True)
            for _, rows in right
        ]
        return ctx.backend.call(concat_columns, parts)[None]

    def panel_scratch(self, sizes: Sizes) -> int:
        return self.out.bind(sizes).nbytes

    def launches(self, sizes: Sizes) -> tuple[Launch, ...]:
        cost = self.cost(sizes)
        rows, columns = self.out.bind(sizes).numbers
        inner = self.children[0].out.bind(sizes).numbers[1]
        return (Launch("", cost.flops, cost.read, cost.written, (rows, columns, inner)),)

    def cost(self, sizes: Sizes) -> Cost:
        left, out = self.children[0].out.bind(sizes), self.out.bind(sizes)
        return Cost(
            flops=2 * prod(out.numbers) * left.numbers[1],
            read=self.input_nbytes(sizes),
            written=out.nbytes,
        )
