"""Repeat a tensor along new axes and along axes of extent 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys, grid_keys
from gpudb.exec.missing import key_grid, positions, rows_of_full_grid
from gpudb.exec.operator import Context, Cost, Joined, Part, PhysicalOp
from gpudb.exec.padding import clear_padding
from gpudb.exec.parts import block_parts
from gpudb.kernels.broadcast_blocks import broadcast_blocks
from gpudb.kernels.rows import PIECE_NBYTES
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BroadcastBlocks(PhysicalOp):
    """Blocks that are missing stay so; ``joined.rows`` is (the input's block for each result)."""

    repeated: tuple[int, ...]
    """Axes of the result."""

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        source = self.children[0].out
        new = self.out.ndim - source.ndim
        result = grid_keys(self.out)
        wanted = result[:, new:].copy()
        wanted[:, [axis - new for axis in self.repeated if axis >= new]] = 0
        rows = positions(wanted, key_grid(source))
        stored = rows_of_full_grid(keys[0], source)
        if stored is not None:
            rows = stored[rows]
        there = np.flatnonzero(rows >= 0)
        return Joined(result[there], (rows[there],))

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        (x,) = inputs
        new = self.out.ndim - self.children[0].out.ndim
        block = tuple(  # a named extent is that of the data
            b if isinstance(b, int) else x.shape[1 + axis - new]
            for axis, b in enumerate(self.out.block)
        )
        result = ctx.backend.call(broadcast_blocks, x, joined.rows[0], block, self.repeated)
        return clear_padding(ctx.backend, result, joined, self.out)

    def parts(self, joined: Joined, room: int) -> Sequence[Part] | None:
        return block_parts(self, joined, room)

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes).nbytes
        read = self.input_nbytes(sizes)
        one = self.children[0].out.bind(sizes).block_nbytes
        return Cost(read=read, written=out, scratch=min(out, max(PIECE_NBYTES, one)))

    def detail(self) -> str:
        return f"along axes {', '.join(map(str, self.repeated)) or 'none'}"

    @property
    def takes_missing(self) -> bool:
        return True
