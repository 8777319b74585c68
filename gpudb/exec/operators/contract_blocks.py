"""Join blocks, multiply each pair, sum over the contracted key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.chunks import from_zero, group_chunks, scratch_nbytes
from gpudb.exec.missing import key_grid, positions
from gpudb.exec.operator import Context, Cost, Joined, Part, PhysicalOp
from gpudb.exec.padding import clear_padding
from gpudb.exec.pairs import On, gather, wanted_pairs
from gpudb.exec.parts import group_parts
from gpudb.exec.products import ProductAxes
from gpudb.kernels.segment_sum import segment_sum
from gpudb.keys import KeyTests, describe_tests
from gpudb.types import HostArray, Sizes, storage_dtype


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ContractBlocks(PhysicalOp):
    """Batched GEMMs over the joined pairs; a result block that no pair reaches is missing.

    Where every result block has equally many pairs, these lie side by side along the summed axis
    and are one GEMM per result block. Otherwise each pair is one, and a segmented sum follows.

    ``joined.rows`` is (left row, right row, first pair of each result block).
    """

    on: On
    contracted: tuple[int, int]
    tests: KeyTests = ()
    """Result blocks that fail these are not computed."""

    @property
    def takes_missing(self) -> bool:
        return True

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        left, right = keys
        a, b = (child.out for child in self.children)
        inner = self.contracted[0]
        kept = [axis for axis in range(a.ndim) if axis != inner]
        pairs = wanted_pairs(backend, left, right, self.on, kept, self._axes.columns, self.tests)
        place = positions(pairs.keys, key_grid(self.out))
        # Stable after an order by the contracted key: pairs are summed in that order.
        order = np.lexsort((left[pairs.left, inner], place))
        starts = np.flatnonzero(np.diff(place[order], prepend=-1))
        launches = self._launches(starts, len(order))
        return Joined(
            pairs.keys[order][starts],
            (pairs.left[order], pairs.right[order], starts),
            pairs.pairing(a, b, self.on, launches),
        )

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        left, right = inputs
        rows_left, rows_right, starts = joined.rows
        bounds = np.append(starts, len(rows_left))
        nbytes = self._pair_nbytes(left.shape[1:], right.shape[1:], _itemsize(left, right))
        sums = []
        for first, last in group_chunks(bounds, nbytes):
            pairs = slice(bounds[first], bounds[last])
            # Not kept under names: the next part would be gathered beside them.
            sums.append(
                self._sum(
                    ctx.backend,
                    gather(ctx.backend, left, rows_left[pairs]),
                    gather(ctx.backend, right, rows_right[pairs]),
                    from_zero(starts[first:last]),
                )
            )
        if not sums:
            sums.append(self._sum(ctx.backend, left[:0], right[:0], starts))
        result = sums[0] if len(sums) == 1 else ctx.backend.concat(sums)
        return clear_padding(ctx.backend, result, joined, self.out)

    def parts(self, joined: Joined, room: int) -> Sequence[Part] | None:
        left, right = (child.out.block_numbers for child in self.children)
        pair = self._pair_nbytes(left, right, storage_dtype(self.out.dtype).itemsize)
        return group_parts(self, joined, room, pair)

    def cost(self, sizes: Sizes) -> Cost:
        left, right = (child.out.bind(sizes) for child in self.children)
        out = self.out.bind(sizes)
        inner = left.grid[self.contracted[0]]
        pairs = out.blocks * inner
        itemsize = storage_dtype(out.dtype).itemsize
        nbytes = self._pair_nbytes(left.block_numbers, right.block_numbers, itemsize)
        return Cost(
            flops=2 * pairs * prod(out.block_numbers) * left.block_numbers[self.contracted[0]],
            read=self.input_nbytes(sizes),
            written=out.nbytes,
            scratch=scratch_nbytes(pairs, inner, nbytes, out.nbytes),
        )

    def detail(self) -> str:
        left, right = self.contracted
        batch = f", batch {list(self._axes.batch)}" if self._axes.batch else ""
        where = f", where {describe_tests(self.tests)}" if self.tests else ""
        return f"sum over {left} = {right}{batch}{where}"

    @property
    def _axes(self) -> ProductAxes:
        a, b = (child.out.ndim for child in self.children)
        return ProductAxes.of(a, b, self.on, self.contracted)

    def _sum(self, backend: Backend, left: Array, right: Array, starts: HostArray) -> Array:
        """Pairs of some result blocks, side by side, to these blocks."""
        pairs, groups = len(left), len(starts)
        if not pairs or (np.diff(starts, append=pairs) == pairs // groups).all():
            inner = pairs // groups if groups else 1
            a = left.reshape(groups, inner, *left.shape[1:])
            b = right.reshape(groups, inner, *right.shape[1:])
            return self._axes.multiply(backend, a, b)
        products = self._axes.multiply(backend, left[:, None], right[:, None])
        return backend.call(segment_sum, products, starts)

    def _pair_nbytes(self, left: Sequence[int], right: Sequence[int], itemsize: int) -> int:
        """Bytes that one pair takes at most: gathered, rearranged, multiplied."""
        axes = self._axes
        moved_left, moved_right, moved_result = axes.copied(left, right, inner=2)
        block = prod(axes.result_block(left, right))
        elements = (1 + moved_left) * prod(left) + (1 + moved_right) * prod(right)
        return (elements + (1 + moved_result) * block) * itemsize

    def _launches(self, starts: HostArray, pairs: int) -> int:
        """Batched GEMMs of one run; 1 where named extents leave the size of blocks open."""
        a, b = (child.out for child in self.children)
        if not (a.is_bound and b.is_bound):
            return min(1, pairs)
        itemsize = storage_dtype(self.out.dtype).itemsize
        nbytes = self._pair_nbytes(a.block_numbers, b.block_numbers, itemsize)
        return sum(1 for _ in group_chunks(np.append(starts, pairs), nbytes))


def _itemsize(left: Array, right: Array) -> int:
    return int(max(left.itemsize, right.itemsize))
