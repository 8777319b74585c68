"""Group blocks by key columns and add them up."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from gpudb.backend import Array
from gpudb.exec.batch import Keys
from gpudb.exec.chunks import group_chunks, scratch_nbytes
from gpudb.exec.grouping import result_block, result_keys
from gpudb.exec.missing import key_grid, positions
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.exec.operators.aggregate_count import counts
from gpudb.exec.pairs import gather
from gpudb.kernels.segment_sum import segment_sum
from gpudb.types import Sizes

COUNT_NBYTES = 8
"""Bytes of one count while it is worked out."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AggregateSum(PhysicalOp):
    """Segmented sums, divided by the number of elements for ``mean``.

    Missing blocks and padding add nothing; a group without blocks is missing. ``joined.rows`` is
    (row of each block in the order of the groups, first of each group).
    """

    dropped: tuple[int, ...]
    fn: str

    @property
    def takes_missing(self) -> bool:
        return True

    def join(self, *keys: Keys) -> Joined:
        groups = result_keys(keys[0], self.children[0].out, self.dropped)
        place = positions(groups, key_grid(self.out))
        order = np.argsort(place, kind="stable")
        starts = np.flatnonzero(np.diff(place[order], prepend=-1))
        return Joined(groups[order][starts], (order, starts))

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        (x,) = inputs
        order, starts = joined.rows
        bounds = np.append(starts, len(order))
        sums = []
        for first, last in group_chunks(bounds, prod(x.shape[1:]) * x.itemsize):
            part = gather(ctx.backend, x, order[bounds[first] : bounds[last]])
            sums.append(ctx.backend.call(segment_sum, part, starts[first:last] - bounds[first]))
        if not sums:
            sums.append(x[:0])
        total = sums[0] if len(sums) == 1 else ctx.backend.concat(sums)
        source = self.children[0].out
        if self.fn == "mean":
            number = counts(source, x.shape[1:], self.dropped).astype(x.dtype)
            total = ctx.backend.zip("divide", total, ctx.backend.to_device(number))
        return total.reshape(len(starts), *result_block(x.shape[1:], source, self.dropped))

    def cost(self, sizes: Sizes) -> Cost:
        source, out = self.children[0].out.bind(sizes), self.out.bind(sizes)
        longest = source.blocks // max(1, out.blocks)
        scratch = scratch_nbytes(source.blocks, longest, source.block_nbytes, out.nbytes)
        if self.fn == "mean":
            scratch = max(scratch, out.nbytes + 3 * COUNT_NBYTES * prod(source.block_numbers))
        return Cost(prod(source.numbers), self.input_nbytes(sizes), out.nbytes, scratch)

    def detail(self) -> str:
        return f"{self.fn} over keys {list(self.dropped)}"
