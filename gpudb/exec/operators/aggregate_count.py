"""Group blocks by key columns and count the elements that meet at each place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpudb.backend import Array
from gpudb.exec.grouping import result_block
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.exec.padding import clear_padding
from gpudb.types import HostArray, Sizes, TensorSchema


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AggregateCount(PhysicalOp):
    """Known from the extents alone: zeros, stored or not, count like any number."""

    dropped: tuple[int, ...]

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        block = inputs[0].shape[1:]
        source = self.children[0].out
        number = counts(source, block, self.dropped, empty=0)
        one = np.ascontiguousarray(np.broadcast_to(number, (1, *block)))
        one = one.reshape(1, *result_block(block, source, self.dropped))
        every = np.zeros(len(joined.keys), np.int64)
        result = ctx.backend.take(ctx.backend.to_device(one), every)
        return clear_padding(ctx.backend, result, joined, self.out)

    @property
    def takes_missing(self) -> bool:
        return True

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        return Cost(written=out.nbytes, scratch=2 * out.block_nbytes)

    def detail(self) -> str:
        return f"count over keys {list(self.dropped)}"


def counts(
    schema: TensorSchema, block: Sequence[int], dropped: tuple[int, ...], empty: int = 1
) -> HostArray:
    """Elements of a group at each place of a block: ``block``, 1 along axes that are kept.

    The last block along an axis may be shorter: at its padding there is one element less. Where
    there are none at all, ``empty``.
    """
    number = np.ones((1,) * len(block), np.int64)
    for axis in dropped:
        blocks, rest = divmod(schema.numbers[axis], block[axis])
        along = np.where(np.arange(block[axis]) < rest, blocks + 1, blocks)
        number = number * along.reshape([-1 if a == axis else 1 for a in range(len(block))])
    return np.where(number == 0, empty, number)
