"""Combine every element with one number."""

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
from gpudb.kernels.elementwise import ZIPS
from gpudb.types import HostArray, Sizes, storage_dtype


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ZipScalarBlocks(PhysicalOp):
    """Block by block, in the dtype of the elements.

    What is missing stays so where the number keeps zero at zero (``x * 2``, not ``x + 2``).
    """

    fn: str
    value: float
    swapped: bool

    @property
    def takes_missing(self) -> bool:
        zero = np.zeros((), storage_dtype(self.out.dtype))
        sides = (self._number, zero) if self.swapped else (zero, self._number)
        with np.errstate(all="ignore"):
            return bool(ZIPS[self.fn](*sides) == 0)

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        return Joined(keys[0])

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        number = ctx.backend.to_device(self._number)
        sides = (number, inputs[0]) if self.swapped else (inputs[0], number)
        result = ctx.backend.zip(self.fn, *sides)
        return clear_padding(ctx.backend, result, joined, self.out)

    def parts(self, joined: Joined, room: int) -> Sequence[Part] | None:
        return block_parts(self, joined, room)

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        return Cost(prod(out.numbers), self.input_nbytes(sizes), out.nbytes)

    def detail(self) -> str:
        return f"{self.value} {self.fn} x" if self.swapped else f"x {self.fn} {self.value}"

    @property
    def _number(self) -> HostArray:
        with np.errstate(over="ignore"):
            return np.array(self.value).astype(storage_dtype(self.out.dtype))
