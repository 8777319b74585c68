"""Some positions along each axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.operator import Context, Cost, Joined, Part, PhysicalOp
from gpudb.exec.padding import clear_padding
from gpudb.exec.parts import block_parts
from gpudb.kernels.shift_along import shift_along
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SliceBlocks(PhysicalOp):
    """From the start of a block on: other blocks are not touched, the last ones are trimmed.

    ``joined.rows`` is (number of each wanted block).
    """

    first: tuple[int, ...]
    """Key of the first wanted block along each axis."""

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        moved = keys[0] - np.asarray(self.first, np.int32)
        inside = np.all((moved >= 0) & (moved < np.asarray(self.out.grid, np.int32)), axis=1)
        rows = np.flatnonzero(inside)
        return Joined(moved[rows], (rows,))

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        chosen = ctx.backend.take(inputs[0], joined.rows[0])
        return clear_padding(ctx.backend, chosen, joined, self.out)

    def parts(self, joined: Joined, room: int) -> Sequence[Part] | None:
        return block_parts(self, joined, room)

    def cost(self, sizes: Sizes) -> Cost:
        return Cost(read=self.out.nbytes, written=self.out.nbytes)

    def detail(self) -> str:
        return f"from block {'×'.join(map(str, self.first))}"

    @property
    def takes_missing(self) -> bool:
        return True

    @property
    def is_layout(self) -> bool:
        return True


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ShiftLines(PhysicalOp):
    """Drop the first elements along one axis: elements move from block to block."""

    axis: int
    start: int

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        args = (list(inputs), (-self.start,), self.out.grid, self.axis)
        return clear_padding(ctx.backend, ctx.backend.call(shift_along, *args), joined, self.out)

    def detail(self) -> str:
        return f"axis {self.axis} from {self.start}, across blocks"

    @property
    def is_layout(self) -> bool:
        return True
