"""What attention adds by distance, in blocks of pairs of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys, grid_keys
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.exec.padding import clear_padding
from gpudb.keys import in_shared_sequences, matching
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DistanceBlocks(PhysicalOp):
    """``(1, heads or 1, 2m - 1)`` -> ``(n, r, 1, r)``: blocks in which some pair shares a sequence.

    A block depends on its head and on how far its columns are from its rows: few differ.
    ``joined.rows`` is (number in the table of each element of the blocks that differ; which of
    these each block is).
    """

    offsets: tuple[int, ...]

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        rows, most = self.out.block_numbers[0], self._longest
        wanted = grid_keys(self.out)
        wanted = wanted[matching(wanted, (in_shared_sequences(self.offsets, rows),))]
        grid = self.out.grid[0]
        tables = np.arange(self.children[0].out.numbers[0])[:, None, None, None]
        apart = np.arange(1 - grid, grid)[:, None, None] * rows
        within = np.arange(rows) - np.arange(rows)[:, None]
        distances = np.clip(apart + within, -most, most) + most
        elements = tables * (2 * most + 1) + distances
        which = wanted[:, 1] % len(tables) * len(apart) + wanted[:, 2] - wanted[:, 0] + grid - 1
        return Joined(wanted, (elements.reshape(-1), which))

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        elements, which = joined.rows
        taken = ctx.backend.take(inputs[0].reshape(-1), elements)
        differing = taken.reshape(-1, *self.out.block_numbers)
        return clear_padding(ctx.backend, ctx.backend.take(differing, which), joined, self.out)

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out
        differing = 2 * out.grid[0] * self.children[0].out.numbers[0] * out.block_nbytes
        return Cost(read=self.input_nbytes(sizes), written=out.nbytes, scratch=differing)

    def detail(self) -> str:
        return f"up to {self._longest}"

    @property
    def _longest(self) -> int:
        return self.children[0].out.numbers[1] // 2
