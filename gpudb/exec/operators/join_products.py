"""Join blocks and multiply each pair; the products are not added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.chunks import group_chunks, scratch_nbytes
from gpudb.exec.missing import key_grid, positions
from gpudb.exec.operator import Context, Cost, Joined, Part, PhysicalOp
from gpudb.exec.padding import clear_padding
from gpudb.exec.pairs import On, gather, wanted_pairs
from gpudb.exec.parts import block_parts
from gpudb.exec.products import ProductAxes
from gpudb.keys import KeyTests, describe_tests
from gpudb.types import Sizes, storage_dtype


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class JoinProducts(PhysicalOp):
    """Batched GEMMs, one product per pair; a pair lacking a block is missing.

    The contracted axis stays in the result as a key column whose blocks have the extent 1.
    ``joined.rows`` is (left row, right row) of each result block.
    """

    on: On
    contracted: tuple[int, int]
    kernel: str
    tests: KeyTests = ()
    """Pairs whose result key fails these are not multiplied."""

    @property
    def takes_missing(self) -> bool:
        return True

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        left, right = keys
        a, b = (child.out for child in self.children)
        pairs = wanted_pairs(
            backend, left, right, self.on, range(a.ndim), self._axes.columns, self.tests
        )
        order = np.argsort(positions(pairs.keys, key_grid(self.out)), kind="stable")
        return Joined(
            pairs.keys[order],
            (pairs.left[order], pairs.right[order]),
            pairs.pairing(a, b, self.on, self._launches(len(order))),
        )

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        left, right = inputs
        rows_left, rows_right = joined.rows
        itemsize = int(max(left.itemsize, right.itemsize))
        nbytes = self._pair_nbytes(left.shape[1:], right.shape[1:], itemsize)
        products = []
        for first, last in group_chunks(np.arange(len(rows_left) + 1), nbytes):
            # Not kept under names: the next part would be gathered beside them.
            products.append(
                self._axes.multiply(
                    ctx.backend,
                    gather(ctx.backend, left, rows_left[first:last])[:, None],
                    gather(ctx.backend, right, rows_right[first:last])[:, None],
                )
            )
        if not products:
            products.append(self._axes.multiply(ctx.backend, left[:0, None], right[:0, None]))
        result = products[0] if len(products) == 1 else ctx.backend.concat(products)
        at = self.contracted[0] + 1
        result = result.reshape(*result.shape[:at], 1, *result.shape[at:])
        return clear_padding(ctx.backend, result, joined, self.out)

    def parts(self, joined: Joined, room: int) -> Sequence[Part] | None:
        left, right = (child.out.block_numbers for child in self.children)
        pair = self._pair_nbytes(left, right, storage_dtype(self.out.dtype).itemsize)
        return block_parts(self, joined, room, (0, pair))

    def cost(self, sizes: Sizes) -> Cost:
        left, right = (child.out.bind(sizes) for child in self.children)
        out = self.out.bind(sizes)
        itemsize = storage_dtype(out.dtype).itemsize
        nbytes = self._pair_nbytes(left.block_numbers, right.block_numbers, itemsize)
        return Cost(
            flops=2 * out.nbytes // itemsize * left.block_numbers[self.contracted[0]],
            read=self.input_nbytes(sizes),
            written=out.nbytes,
            scratch=scratch_nbytes(out.blocks, 1, nbytes, out.nbytes),
        )

    def detail(self) -> str:
        where = f", where {describe_tests(self.tests)}" if self.tests else ""
        return f"{self.kernel} on {list(self.on)}{where}"

    @property
    def _axes(self) -> ProductAxes:
        a, b = (child.out.ndim for child in self.children)
        return ProductAxes.of(a, b, self.on, self.contracted)

    def _pair_nbytes(self, left: Sequence[int], right: Sequence[int], itemsize: int) -> int:
        """Bytes that one pair takes at most beside its product: gathered and rearranged."""
        axes = self._axes
        moved_left, moved_right, moved_result = axes.copied(left, right, inner=1)
        elements = (1 + moved_left) * prod(left) + (1 + moved_right) * prod(right)
        return (elements + moved_result * prod(axes.result_block(left, right))) * itemsize

    def _launches(self, pairs: int) -> int:
        """Batched GEMMs of one run; 1 where named extents leave the size of blocks open."""
        a, b = (child.out for child in self.children)
        if not (a.is_bound and b.is_bound):
            return min(1, pairs)
        itemsize = storage_dtype(self.out.dtype).itemsize
        nbytes = self._pair_nbytes(a.block_numbers, b.block_numbers, itemsize)
        return sum(1 for _ in group_chunks(np.arange(pairs + 1), nbytes))
