"""Group blocks by key columns and find the largest or smallest element at each place."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gpudb.backend import Array
from gpudb.exec.grouping import result_block
from gpudb.exec.missing import key_grid
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.kernels.reduce_grid import reduce_grid
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AggregateExtreme(PhysicalOp):
    """``max``, ``min``, or ``argmax``, over a full grid: a zero may be the largest element."""

    dropped: tuple[int, ...]
    fn: str

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        (x,) = inputs
        source = self.children[0].out
        dropped = tuple((axis, source.numbers[axis]) for axis in self.dropped)
        result = ctx.backend.call(reduce_grid, x, key_grid(source), dropped, self.fn)
        block = result_block(x.shape[1:], source, self.dropped)
        # None at all where a dropped axis that stays has no elements.
        blocks = len(joined.keys)
        return result[:blocks].reshape(blocks, *block)

    def cost(self, sizes: Sizes) -> Cost:
        source, out = self.children[0].out.bind(sizes), self.out.bind(sizes)
        # argmax wants what it compares to lie together.
        moved = source.nbytes if self.fn == "argmax" else 0
        return Cost(
            flops=prod(source.numbers),
            read=self.input_nbytes(sizes),
            written=out.nbytes,
            scratch=out.nbytes + moved,
        )

    def detail(self) -> str:
        return f"{self.fn} over keys {list(self.dropped)}"
