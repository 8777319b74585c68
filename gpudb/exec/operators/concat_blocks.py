"""Tensors one after the other along an axis."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.lines import sort_keys
from gpudb.exec.operator import Context, Joined, PhysicalOp
from gpudb.kernels.place_blocks import place_blocks
from gpudb.kernels.shift_along import shift_along
from gpudb.types import TensorSchema


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ConcatBlocks(PhysicalOp):
    """Every part begins where a block does: keys shift, blocks are copied as they are.

    ``joined.rows`` is (place of each block in the result) for each part.
    """

    axis: int

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        schemas = [child.out for child in self.children]
        step = self.out.block_numbers[self.axis]
        moved = []
        for part, offset in zip(keys, offsets_along(schemas, self.axis), strict=True):
            shifted = part.copy()
            shifted[:, self.axis] += offset // step
            moved.append(shifted)
        together = np.concatenate(moved)
        order = sort_keys(together)
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        bounds = list(accumulate(len(part) for part in keys))[:-1]
        return Joined(together[order], tuple(np.split(places, bounds)))

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        return ctx.backend.call(place_blocks, list(inputs), list(joined.rows))

    def detail(self) -> str:
        return f"{len(self.children)} parts along axis {self.axis}, whole blocks"

    @property
    def takes_missing(self) -> bool:
        return True

    @property
    def is_layout(self) -> bool:
        return True


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ConcatLines(PhysicalOp):
    """A part begins inside a block: elements move from block to block. Needs full grids."""

    axis: int

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        offsets = offsets_along([child.out for child in self.children], self.axis)
        return ctx.backend.call(shift_along, list(inputs), offsets, self.out.grid, self.axis)

    def detail(self) -> str:
        return f"{len(self.children)} parts along axis {self.axis}, across blocks"

    @property
    def is_layout(self) -> bool:
        return True


def offsets_along(parts: list[TensorSchema], axis: int) -> tuple[int, ...]:
    """Where each part begins along the axis."""
    extents = [part.numbers[axis] for part in parts]
    return tuple(accumulate(extents[:-1], initial=0))
