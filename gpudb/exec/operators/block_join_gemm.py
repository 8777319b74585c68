"""Join blocks on the inner key, multiply each pair, sum by the outer keys."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

import numpy as np

from gpudb.backend import Array
from gpudb.exec.batch import Keys, grid_keys
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.kernels.segment_sum import segment_sum
from gpudb.types import HostArray, Sizes

SCRATCH_NBYTES = 64 << 20
"""Gathered pairs and their products stay below this, unless one result block needs more."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BlockJoinGemm(PhysicalOp):
    """Batched GEMMs over the joined pairs, one segmented sum for each group of result blocks.

    ``joined.rows`` is (left row, right row, first pair of each result block).
    """

    transpose_right: bool

    def join(self, *keys: Keys) -> Joined:
        left, right = keys
        inner, outer = (1, 0) if self.transpose_right else (0, 1)
        pairs_left, pairs_right = _equi_join(left[:, 1], right[:, inner])
        if not len(pairs_left):  # an extent is 0, perhaps the inner one: sums of nothing
            return Joined(grid_keys(self.out), (pairs_left, pairs_right, pairs_left))
        result = np.stack([left[pairs_left, 0], right[pairs_right, outer]], axis=1)
        # Stable, so the pairs of one result block stay in order of the inner key.
        order = np.lexsort((result[:, 1], result[:, 0]))
        result, pairs_left, pairs_right = result[order], pairs_left[order], pairs_right[order]
        changes = np.any(np.diff(result, axis=0) != 0, axis=1)
        starts = np.flatnonzero(np.concatenate(([True], changes)))
        return Joined(result[starts], (pairs_left, pairs_right, starts))

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        left, right = inputs
        pairs_left, pairs_right, starts = joined.rows
        if not len(starts):
            return ctx.backend.to_device(_zero_blocks(self, len(joined.keys), left, right))
        bounds = np.append(starts, len(pairs_left))
        block = (left.shape[1], right.shape[1 if self.transpose_right else 2])
        pair_nbytes = (prod(left.shape[1:]) + prod(right.shape[1:]) + prod(block)) * left.itemsize
        pairs_each = ceil(len(pairs_left) / len(starts))
        step = max(1, SCRATCH_NBYTES // (pair_nbytes * pairs_each))
        sums = []
        for first in range(0, len(starts), step):
            last = min(first + step, len(starts))
            pairs = slice(bounds[first], bounds[last])
            product = ctx.backend.matmul(
                ctx.backend.take(left, pairs_left[pairs]),
                ctx.backend.take(right, pairs_right[pairs]),
                self.transpose_right,
            )
            sums.append(ctx.backend.call(segment_sum, product, starts[first:last] - bounds[first]))
        return sums[0] if len(sums) == 1 else ctx.backend.concat(sums)

    def cost(self, sizes: Sizes) -> Cost:
        left, right = (child.out.bind(sizes) for child in self.children)
        out = self.out.bind(sizes)
        pairs = out.blocks * left.grid[1]
        gathered = pairs * (left.block_nbytes + right.block_nbytes + out.block_nbytes)
        one = left.grid[1] * (left.block_nbytes + right.block_nbytes + out.block_nbytes)
        return Cost(
            flops=2 * pairs * prod(out.block_numbers) * left.block_numbers[1],
            read=self.input_nbytes(sizes),
            written=out.nbytes,
            scratch=min(gathered, max(SCRATCH_NBYTES, one)),
        )


def _equi_join(left: HostArray, right: HostArray) -> tuple[HostArray, HostArray]:
    """Row numbers of all pairs with equal keys, by left row, then in order of the right rows."""
    order = np.argsort(right, kind="stable")
    first = np.searchsorted(right[order], left, "left")
    count = np.searchsorted(right[order], left, "right") - first
    pairs_left = np.repeat(np.arange(len(left)), count)
    within = np.arange(len(pairs_left)) - np.repeat(np.cumsum(count) - count, count)
    return pairs_left, order[np.repeat(first, count) + within]


def _zero_blocks(op: BlockJoinGemm, blocks: int, left: Array, right: Array) -> HostArray:
    width = right.shape[1 if op.transpose_right else 2]
    return np.zeros((blocks, left.shape[1], width), np.result_type(left, right))
