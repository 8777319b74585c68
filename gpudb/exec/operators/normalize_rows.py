"""Rows of length one, along the last axis."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gpudb.backend import Array
from gpudb.exec.cut_rows import CutRows
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.exec.operators.reduce_axis import reduce_scratch
from gpudb.exec.padding import clear_padding
from gpudb.kernels.divide_rows import divide_rows
from gpudb.kernels.merge_parts import merge_parts
from gpudb.kernels.normalize import normalize
from gpudb.kernels.reduce_axis import reduce_axis
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NormalizeRows(PhysicalOp):
    """Fused, every row lies in one block: ``(n, …, w)`` -> ``(n, …, w)``."""

    eps: float

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        (x,) = inputs
        rows = x.reshape(prod(x.shape[:-1]), x.shape[-1])  # padding adds nothing to a norm
        result = ctx.backend.call(normalize, rows, self.eps).reshape(x.shape)
        return clear_padding(ctx.backend, result, joined, self.out)

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        return Cost(3 * prod(out.numbers), self.input_nbytes(sizes), out.nbytes)

    def detail(self) -> str:
        return "fused"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NormalizeCut(CutRows):
    """Two-level: the norm of each part of a row, merged by row, joined back."""

    eps: float

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        (x,) = inputs
        lengths, order, counts, starts, of_block = joined.rows
        parts = ctx.backend.call(reduce_axis, x, lengths, self.out.ndim - 1, "norm")
        args = (ctx.backend.take(parts, order), counts, starts, "norm", 0)
        norms = ctx.backend.call(merge_parts, *args)
        result = ctx.backend.call(divide_rows, x, norms, of_block, self.eps)
        return clear_padding(ctx.backend, result, joined, self.out)

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        states = out.blocks * prod(out.block_numbers[:-1])
        return Cost(
            flops=5 * prod(out.numbers),
            read=2 * self.input_nbytes(sizes),
            written=out.nbytes,
            scratch=5 * 8 * states + reduce_scratch(out, out.ndim - 1, "norm"),
        )
