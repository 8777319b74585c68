"""Group blocks by key columns and add them up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.chunks import from_zero, group_chunks, scratch_nbytes
from gpudb.exec.grouping import result_block, result_keys
from gpudb.exec.missing import key_grid, positions
from gpudb.exec.operator import Context, Cost, Joined, Part, PhysicalOp
from gpudb.exec.operators.aggregate_count import counts
from gpudb.exec.pairs import gather
from gpudb.exec.parts import group_parts
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

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        groups = result_keys(keys[0], self.children[0].out, self.dropped)
        place = positions(groups, key_grid(self.out))
        order = np.argsort(place, kind="stable")
        starts = np.flatnonzero(np.diff(place[order], prepend=-1))
        return Joined(groups[order][starts], (order, starts))

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        (x,) = inputs
        source = self.children[0].out
        total = self._sums(ctx, joined, x)
        if self.fn == "mean":
            number = counts(source, x.shape[1:], self.dropped).astype(x.dtype)
            total = ctx.backend.zip("divide", total, ctx.backend.to_device(number))
        return total.reshape(len(total), *result_block(x.shape[1:], source, self.dropped))

    def _sums(self, ctx: Context, joined: Joined, x: Array) -> Array:
        """One block for each group, with all axes."""
        order, starts = joined.rows
        bounds = np.append(starts, len(order))
        block_nbytes = 0 if self._lie_together else prod(x.shape[1:]) * x.itemsize
        sums = [x[:0]] if not len(starts) else []
        for first, last in group_chunks(bounds, block_nbytes):
            rows = order[bounds[first] : bounds[last]]
            # Not kept under a name: the next part would be gathered beside it.
            sums.append(
                ctx.backend.call(
                    segment_sum, gather(ctx.backend, x, rows), from_zero(starts[first:last])
                )
            )
        return sums[0] if len(sums) == 1 else ctx.backend.concat(sums)

    def parts(self, joined: Joined, room: int) -> Sequence[Part] | None:
        source = self.children[0].out
        # A mean divides by counts, one for each place of a block.
        always = 3 * COUNT_NBYTES * prod(source.block_numbers) if self.fn == "mean" else 0
        return group_parts(self, joined, room, source.block_nbytes, always)

    def cost(self, sizes: Sizes) -> Cost:
        source, out = self.children[0].out.bind(sizes), self.out.bind(sizes)
        longest = source.blocks // max(1, out.blocks)
        gathered = 0 if self._lie_together else source.block_nbytes
        scratch = scratch_nbytes(source.blocks, longest, gathered, out.nbytes)
        if self.fn == "mean":
            scratch = max(scratch, out.nbytes + 3 * COUNT_NBYTES * prod(source.block_numbers))
        return Cost(prod(source.numbers), self.input_nbytes(sizes), out.nbytes, scratch)

    @property
    def _lie_together(self) -> bool:
        """True for groups of the first keys: in row-major order they need not be gathered."""
        ndim = self.children[0].out.ndim
        return self.dropped == tuple(range(ndim - len(self.dropped), ndim))

    def detail(self) -> str:
        return f"{self.fn} over keys {list(self.dropped)}"
