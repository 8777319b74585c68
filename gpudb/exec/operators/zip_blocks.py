"""Join two relations on keys and combine their elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.missing import key_grid
from gpudb.exec.operator import Context, Cost, Joined, Pairing, Part, PhysicalOp
from gpudb.exec.padding import clear_padding
from gpudb.exec.pairs import On, equi_join, find, free_axes, grid_cells, sorted_unique
from gpudb.exec.parts import block_parts
from gpudb.kernels.rows import PIECE_NBYTES
from gpudb.kernels.zip_pairs import zip_pairs
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ZipBlocks(PhysicalOp):
    """Block by block; along an axis that only one side has, its blocks are repeated.

    A missing block is an exact zero. ``multiply`` needs the blocks of both sides, ``divide`` those
    of the left; for the other functions either will do, and zeros stand for the other.

    ``joined.rows`` is empty when both sides have the same keys and axes, else (left row, right
    row) of each result block, -1 for zeros.
    """

    fn: str
    on: On

    @property
    def takes_missing(self) -> bool:
        return True

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        left, right = keys
        if self._same_axes and np.array_equal(left, right):
            return Joined(left, (), Pairing(len(left), self.out_blocks - len(left)))
        result = self._result_keys(backend, left, right)
        rows_left = find(left, result[:, : left.shape[1]], key_grid(self.children[0].out))
        seen = result[:, list(self._place_of_right)]
        rows_right = find(right, seen, key_grid(self.children[1].out))
        pairing = Pairing(len(result), self.out_blocks - len(result))
        return Joined(result, (rows_left, rows_right), pairing)

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        left, right = inputs
        if joined.rows:
            left = left.reshape(*left.shape, *(1,) * (self.out.ndim - left.ndim + 1))
            args = (left, right, *joined.rows, self._order, self.fn)
            result = ctx.backend.call(zip_pairs, *args)
        else:
            result = ctx.backend.zip(self.fn, left, right)
        return clear_padding(ctx.backend, result, joined, self.out)

    def parts(self, joined: Joined, room: int) -> Sequence[Part] | None:
        return block_parts(self, joined, room)

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        # One piece of each side and of the result, as the kernel goes through the pairs.
        scratch = 3 * min(out.nbytes, max(PIECE_NBYTES, out.block_nbytes))
        return Cost(prod(out.numbers), self.input_nbytes(sizes), out.nbytes, scratch)

    def detail(self) -> str:
        return self.fn if self._same_axes else f"{self.fn} on {list(self.on)}"

    @property
    def out_blocks(self) -> int:
        """Blocks of the result when none is missing."""
        return prod(key_grid(self.out))

    @property
    def _same_axes(self) -> bool:
        a, b = (child.out.ndim for child in self.children)
        return a == b and self.on == tuple((axis, axis) for axis in range(a))

    @property
    def _free(self) -> tuple[int, ...]:
        """Axes that only the right side has; the last ones of the result."""
        return free_axes(self.children[1].out.ndim, self.on)

    @property
    def _place_of_right(self) -> tuple[int, ...]:
        """For each axis of the right side, its number in the result."""
        first = self.children[0].out.ndim
        place = {right: left for left, right in self.on}
        place |= {axis: first + number for number, axis in enumerate(self._free)}
        return tuple(place[axis] for axis in range(len(place)))

    @property
    def _order(self) -> tuple[int | None, ...]:
        """For each axis of the result, the right side's axis there."""
        axes: list[int | None] = [None] * self.out.ndim
        for axis, place in enumerate(self._place_of_right):
            axes[place] = axis
        return tuple(axes)

    def _result_keys(self, backend: Backend, left: Keys, right: Keys) -> Keys:
        grid = key_grid(self.out)
        first = left.shape[1]
        if self.fn == "multiply":
            rows_left, rows_right = equi_join(backend, left, right, self.on)
            free = right[rows_right][:, list(self._free)]
            return sorted_unique(np.concatenate([left[rows_left], free], axis=1), grid)
        everywhere = grid_cells(grid[first:])
        there = np.concatenate(
            [np.repeat(left, len(everywhere), axis=0), np.tile(everywhere, (len(left), 1))], axis=1
        )
        if self.fn != "divide":
            there = np.concatenate([there, self._reached_by_right(right)])
        return sorted_unique(there, grid)

    def _reached_by_right(self, right: Keys) -> Keys:
        """Keys of the result blocks that have a right block, whether or not a left one."""
        grid = key_grid(self.out)
        open_axes = [axis for axis in range(len(grid)) if axis not in self._place_of_right]
        cells = grid_cells(tuple(grid[axis] for axis in open_axes))
        reached = np.empty((len(right) * len(cells), len(grid)), np.int32)
        reached[:, list(self._place_of_right)] = np.repeat(right, len(cells), axis=0)
        reached[:, open_axes] = np.tile(cells, (len(right), 1))
        return reached
