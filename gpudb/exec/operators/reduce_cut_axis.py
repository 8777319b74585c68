"""Combine the elements along an axis that block boundaries cut."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.lines import lines_along, valid_lengths
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.exec.operators.reduce_axis import FLOPS, LINEAR, reduce_blocks, reduce_scratch
from gpudb.kernels.merge_argmax import merge_argmax
from gpudb.kernels.merge_moments import merge_moments
from gpudb.kernels.merge_parts import merge_parts
from gpudb.kernels.moments import moments
from gpudb.kernels.variance_of_moments import variance_of_moments
from gpudb.types import Sizes, storage_dtype


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ReduceCutAxis(PhysicalOp):
    """Two-level: a state of each block, then the states of each line of blocks merged.

    ``joined.rows`` is (elements inside each block; blocks line after line; of each of these, the
    elements inside and the position of the first; where lines start).
    """

    axis: int
    fn: str

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        x = self.children[0].out
        lines = lines_along(keys[0], self.axis)
        lengths = valid_lengths(keys[0], x, self.axis)
        firsts = keys[0][:, self.axis].astype(np.int64) * x.block_numbers[self.axis]
        by_line = (lines.order, lengths[lines.order], firsts[lines.order], lines.starts)
        return Joined(lines.keys, (lengths, *by_line))

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        (x,) = inputs
        lengths, order, counts, firsts, starts = joined.rows
        total = self.children[0].out.numbers[self.axis]

        def by_line(states: Array) -> Array:
            return ctx.backend.take(states, order)

        if self.fn == "variance":
            states = by_line(ctx.backend.call(moments, x, lengths, self.axis))
            merged = ctx.backend.call(merge_moments, states, counts, starts)
            result = ctx.backend.call(variance_of_moments, merged, total, self.out.dtype)
        elif self.fn == "argmax":
            positions = by_line(reduce_blocks(ctx, x, lengths, self.axis, "argmax"))
            values = by_line(reduce_blocks(ctx, x, lengths, self.axis, "max"))
            args = (positions, values, firsts, len(starts))
            result = ctx.backend.call(merge_argmax, *args)
        else:
            parts = by_line(reduce_blocks(ctx, x, lengths, self.axis, self.fn))
            result = ctx.backend.call(merge_parts, parts, counts, starts, self.fn, total)
        return result.reshape(len(joined.keys), *(result.shape[1:] or (1,)))

    def cost(self, sizes: Sizes) -> Cost:
        x = self.children[0].out.bind(sizes)
        states = x.blocks * prod(x.block_numbers) // x.block_numbers[self.axis]
        # Bytes for each state: as made, in order of line, and while they merge.
        merging = {"variance": 48, "argmax": 24, "norm": 16, "max": 0, "min": 0}.get(self.fn, 8)
        held = 2 * storage_dtype(x.dtype).itemsize + merging
        return Cost(
            flops=FLOPS.get(self.fn, 1) * prod(x.numbers),
            read=x.nbytes,
            written=self.out.bind(sizes).nbytes,
            scratch=reduce_scratch(x, self.axis, self.fn) + held * states,
        )

    def detail(self) -> str:
        parts = self.children[0].out.grid_along(self.axis)
        return f"{self.fn} along axis {self.axis}, two-level over {parts} blocks"

    @property
    def takes_missing(self) -> bool:
        return self.fn in LINEAR
