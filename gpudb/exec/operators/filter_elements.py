"""Keep the elements that compare with a number as asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.operator import Context, Cost, Joined, Part, PhysicalOp
from gpudb.exec.parts import block_parts
from gpudb.kernels.filter_elements import filter_elements
from gpudb.kernels.rows import PIECE_NBYTES
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FilterElementsBlocks(PhysicalOp):
    """Block by block; a zero is zero whether or not it is kept, so padding and missing stay."""

    compare: str
    value: float

    @property
    def takes_missing(self) -> bool:
        return True

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        return Joined(keys[0])

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        return ctx.backend.call(filter_elements, inputs[0], self.compare, self.value)

    def parts(self, joined: Joined, room: int) -> Sequence[Part] | None:
        return block_parts(self, joined, room)

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        # A piece that is compared, in float64, and the answers.
        piece = 3 * min(out.nbytes, max(PIECE_NBYTES, out.block_nbytes))
        return Cost(prod(out.numbers), self.input_nbytes(sizes), out.nbytes, scratch=piece)

    def detail(self) -> str:
        return f"{self.compare} {self.value}"
