"""Take some columns of every row."""

from __future__ import annotations

from dataclasses import dataclass

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SliceColumns(PhysicalOp):
    """A view: the rows keep the stride of the array they are part of."""

    start: int
    stop: int

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        return inputs[0][..., self.start : self.stop]

    def cost(self, sizes: Sizes) -> Cost:
        return Cost()

    def detail(self) -> str:
        return f"{self.start}:{self.stop}"

    @property
    def is_view(self) -> bool:
        return True
