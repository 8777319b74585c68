"""Layer-norm of each row, along the last axis."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.cut_rows import CutRows
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.exec.operators.reduce_axis import reduce_scratch
from gpudb.exec.padding import clear_padding
from gpudb.kernels.layer_norm import layer_norm
from gpudb.kernels.layer_norm_apply import layer_norm_apply
from gpudb.kernels.merge_moments import merge_moments
from gpudb.kernels.moments import moments
from gpudb.types import Sizes

FLOPS_PER_ELEMENT = 7
"""Mean 1, difference 1, variance 2, division 1, scale 1, shift 1."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LayerNormRows(PhysicalOp):
    """Fused, every row lies in one block: ``(n, …, w)``, twice ``(1, w)`` -> ``(n, …, w)``."""

    eps: float

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        x, gamma, beta = inputs
        if not len(x):
            return x
        extent = self.out.shape[-1]
        width = x.shape[-1] if isinstance(extent, str) else min(extent, x.shape[-1])
        rows = x.reshape(prod(x.shape[:-1]), x.shape[-1])
        args = (rows, gamma[0, :width], beta[0, :width], self.eps)
        result = ctx.backend.call(layer_norm, *args).reshape(x.shape)
        return clear_padding(ctx.backend, result, joined, self.out)

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        return Cost(
            flops=FLOPS_PER_ELEMENT * prod(out.numbers),
            read=self.input_nbytes(sizes),
            written=out.nbytes,
        )

    def detail(self) -> str:
        return "fused"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LayerNormCut(CutRows):
    """Two-level: (count, mean, squared differences) of each part of a row, merged, joined back.

    ``joined.rows`` ends with the number of the block of gamma and beta for each block.
    """

    eps: float

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        joined = CutRows.join(self, backend, *keys)
        return replace(joined, rows=(*joined.rows, keys[0][:, self.out.ndim - 1]))

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        x, gamma, beta = inputs
        lengths, order, counts, starts, of_block, columns = joined.rows
        axis = self.out.ndim - 1
        states = ctx.backend.take(ctx.backend.call(moments, x, lengths, axis), order)
        merged = ctx.backend.call(merge_moments, states, counts, starts)
        width = int(counts[: starts[1] if len(starts) > 1 else None].sum())
        args = (x, merged, of_block, gamma, beta, columns, width, self.eps)
        result = ctx.backend.call(layer_norm_apply, *args)
        return clear_padding(ctx.backend, result, joined, self.out)

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        states = 2 * out.blocks * prod(out.block_numbers[:-1])
        piece = reduce_scratch(out, out.ndim - 1, "variance")
        return Cost(
            flops=(FLOPS_PER_ELEMENT + 2) * prod(out.numbers),
            read=2 * self.input_nbytes(sizes),
            written=out.nbytes,
            scratch=4 * 8 * states + piece,
        )
