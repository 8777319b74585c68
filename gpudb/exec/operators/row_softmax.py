"""Softmax of each row, along the last axis."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gpudb.backend import Array
from gpudb.exec.cut_rows import CutRows
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.exec.operators.reduce_axis import reduce_scratch
from gpudb.exec.padding import clear_padding
from gpudb.kernels.merge_softmax import merge_softmax
from gpudb.kernels.row_softmax import row_softmax
from gpudb.kernels.softmax_apply import softmax_apply
from gpudb.kernels.softmax_state import softmax_state
from gpudb.types import Sizes

FLOPS_PER_ELEMENT = 5
"""Maximum 1, difference 1, exp 1, sum 1, division 1."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RowSoftmaxBlocks(PhysicalOp):
    """Fused: every row lies in one block."""

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        (x,) = inputs
        extent = self.out.shape[-1]
        width = x.shape[-1] if isinstance(extent, str) else min(extent, x.shape[-1])
        rows = x.reshape(prod(x.shape[:-1]), x.shape[-1])
        result = ctx.backend.call(row_softmax, rows, width).reshape(x.shape)
        return clear_padding(ctx.backend, result, joined, self.out)

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        return Cost(FLOPS_PER_ELEMENT * prod(out.numbers), self.input_nbytes(sizes), out.nbytes)

    def detail(self) -> str:
        return "fused"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RowSoftmaxCut(CutRows):
    """Two-level: (maximum, sum of exp) of each part of a row, merged by row, joined back."""

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        (x,) = inputs
        lengths, order, _, starts, of_block = joined.rows
        states = ctx.backend.take(ctx.backend.call(softmax_state, x, lengths), order)
        merged = ctx.backend.call(merge_softmax, states, starts)
        result = ctx.backend.call(softmax_apply, x, merged, of_block)
        return clear_padding(ctx.backend, result, joined, self.out)

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        states = 2 * (out.nbytes // out.block_numbers[-1])
        piece = reduce_scratch(out, out.ndim - 1, "sum")
        return Cost(
            flops=2 * FLOPS_PER_ELEMENT * prod(out.numbers),
            read=2 * self.input_nbytes(sizes),
            written=out.nbytes,
            scratch=4 * states + 2 * piece,
        )
