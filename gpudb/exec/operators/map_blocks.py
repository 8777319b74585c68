"""Apply a function to every element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.operator import Context, Cost, Joined, Part, PhysicalOp
from gpudb.exec.padding import clear_padding
from gpudb.exec.parts import block_parts
from gpudb.kernels.elementwise import MAPS
from gpudb.types import Sizes

COMPOSED = ("gelu", "gelu_tanh", "quick_gelu", "sigmoid", "silu")
"""Functions of several steps; up to four results of the whole array are alive between them."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MapBlocks(PhysicalOp):
    """Block by block; any shape. What is missing stays so where the function keeps zero."""

    fn: str

    @property
    def takes_missing(self) -> bool:
        return bool(MAPS[self.fn](np.zeros(1))[0] == 0)

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        return Joined(keys[0])

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        result = ctx.backend.map(self.fn, inputs[0])
        return clear_padding(ctx.backend, result, joined, self.out)

    def parts(self, joined: Joined, room: int) -> Sequence[Part] | None:
        return block_parts(
            self, joined, room, (0, 4 * self.out.block_nbytes if self.fn in COMPOSED else 0)
        )

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        read = self.input_nbytes(sizes)
        scratch = 4 * out.nbytes if self.fn in COMPOSED else 0
        return Cost(prod(out.numbers), read, out.nbytes, scratch)

    def detail(self) -> str:
        return self.fn
