"""Join two relations on all keys and combine their elements."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from gpudb.backend import Array
from gpudb.exec.batch import Keys
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.exec.padding import clear_padding
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ZipBlocks(PhysicalOp):
    """Block by block; a vector on the right is joined on the last key.

    ``joined.rows`` is empty when both sides have the same blocks, else (right row of each block).
    """

    fn: str

    def join(self, *keys: Keys) -> Joined:
        left, right = keys
        if left.shape[1] == right.shape[1]:
            return Joined(left)
        return Joined(left, (np.searchsorted(right[:, 0], left[:, -1]),))

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        left, right = inputs
        if joined.rows:
            (rows,) = joined.rows
            right = ctx.backend.take(right, rows)
            right = right.reshape(len(rows), *(1,) * (left.ndim - 2), right.shape[-1])
        result = ctx.backend.zip(self.fn, left, right)
        return clear_padding(ctx.backend, result, joined.keys, self.out)

    def cost(self, sizes: Sizes) -> Cost:
        out, right = self.out.bind(sizes), self.children[1].out.bind(sizes)
        read = self.input_nbytes(sizes)
        gathered = out.blocks * right.block_nbytes if right.ndim < out.ndim else 0
        return Cost(prod(out.numbers), read, out.nbytes, scratch=gathered)

    def detail(self) -> str:
        return self.fn
