"""Cut a tensor into blocks of another extent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys, grid_keys
from gpudb.exec.missing import key_grid, positions, rows_of_full_grid, take_blocks
from gpudb.exec.operator import Context, Cost, Joined, Part, PhysicalOp
from gpudb.kernels.reblock import reblock
from gpudb.kernels.recut import recut, touched
from gpudb.types import Extent, HostArray, Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ReblockGrid(PhysicalOp):
    """A copy. A block of the result that sees no block of the input is missing.

    ``joined.rows`` is empty, or (number of the input's block at each position of its grid, -1 for
    zeros; positions of the result's grid that are kept).
    """

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        source = self.children[0].out
        rows = rows_of_full_grid(keys[0], source)
        if rows is None:
            return Joined(grid_keys(self.out))
        there = np.zeros(prod(key_grid(source)), np.bool_)
        there[positions(keys[0], key_grid(source))] = True
        kept = np.flatnonzero(self._seen(there.reshape(key_grid(source))))
        return Joined(grid_keys(self.out)[kept], (rows, kept))

    def _seen(self, there: HostArray) -> HostArray:
        """Which blocks of the result see one of the input that is ``there``: grid to grid."""
        source = self.children[0].out
        for axis, extent in enumerate(source.shape):
            old, new = source.block[axis], self.out.block[axis]
            if isinstance(extent, str) or isinstance(old, str) or isinstance(new, str):
                continue  # one block in both
            starts = np.arange(self.out.grid_along(axis)) * new
            first, last = starts // old, (np.minimum(starts + new, extent) - 1) // old
            before = np.insert(np.cumsum(there, axis), 0, 0, axis)
            there = before.take(last + 1, axis) > before.take(first, axis)
        return there

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        (x,) = inputs
        if joined.rows:
            rows, kept = joined.rows
            blocks = self._cut(ctx, take_blocks(ctx.backend, x, rows))
            return take_blocks(ctx.backend, blocks, kept)
        return self._cut(ctx, x)

    def _cut(self, ctx: Context, x: Array) -> Array:
        """A full grid -> the full grid of the result."""
        source = self.children[0].out
        # A named extent is one block along its axis, so the data says how long it is.
        sizes = {
            e: int(n) for e, n in zip(source.shape, x.shape[1:], strict=True) if isinstance(e, str)
        }
        extent = tuple(_number(e, sizes) for e in source.shape)
        return ctx.backend.call(
            reblock,
            x,
            extent,
            tuple(_number(e, sizes) for e in source.block),
            tuple(_number(e, sizes) for e in self.out.block),
        )

    def parts(self, joined: Joined, room: int) -> Sequence[Part] | None:
        source = self.children[0].out
        grid = key_grid(source)
        blocks = (source.numbers, source.block_numbers, self.out.block_numbers)
        parts = []
        first = 0
        wanted: set[tuple[int, ...]] = set()
        for number, key in enumerate(joined.keys.tolist()):
            needed = set(touched(key, *blocks))
            both = wanted | needed
            if number > first and self._part_nbytes(len(both), number + 1 - first) > room:
                parts.append(self._part(joined, first, number, wanted, grid))
                both, first = needed, number
            wanted = both
        parts.append(self._part(joined, first, len(joined.keys), wanted, grid))
        return parts

    def run_part(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        source = self.children[0].out
        blocks = (source.numbers, source.block_numbers, self.out.block_numbers)
        return ctx.backend.call(recut, inputs[0], joined.rows[0], joined.keys, *blocks)

    def _part(
        self,
        joined: Joined,
        first: int,
        last: int,
        wanted: set[tuple[int, ...]],
        grid: tuple[int, ...],
    ) -> Part:
        keys = np.array(sorted(wanted), np.int32).reshape(len(wanted), len(grid))
        numbers = positions(keys, grid)
        if joined.rows:  # blocks are missing
            numbers = joined.rows[0][numbers]
            keys, numbers = keys[numbers >= 0], numbers[numbers >= 0]
        part = Joined(joined.keys[first:last], (keys,))
        nbytes = self._part_nbytes(len(wanted), last - first)
        return Part(first, last, part, (numbers,), nbytes)

    def _part_nbytes(self, read: int, made: int) -> int:
        return read * self.children[0].out.block_nbytes + made * self.out.block_nbytes

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes).nbytes
        read = self.input_nbytes(sizes)
        # The input with its missing blocks, and one of both that the kernel rearranges.
        return Cost(read=read, written=out, scratch=2 * read + out)

    def detail(self) -> str:
        return f"into {'×'.join(str(b) for b in self.out.block)}"

    @property
    def takes_missing(self) -> bool:
        return True

    @property
    def is_layout(self) -> bool:
        return True


def _number(extent: Extent, sizes: Sizes) -> int:
    return sizes[extent] if isinstance(extent, str) else extent
