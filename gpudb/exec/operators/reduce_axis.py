"""Combine the elements along an axis that lies in one block."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.errors import InputError
from gpudb.exec.batch import Keys
from gpudb.exec.lines import valid_lengths, without_axis
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.exec.padding import clear_padding
from gpudb.kernels.argmax_axis import argmax_axis
from gpudb.kernels.reduce_axis import reduce_axis
from gpudb.kernels.rows import PIECE_NBYTES
from gpudb.types import HostArray, Sizes, TensorSchema, storage_dtype

LINEAR = ("sum", "mean", "norm")
"""Reductions in which a block of zeros changes nothing: it need not be there."""

OF_NOTHING = ("sum", "norm")
"""Reductions that an axis without elements has."""

FLOPS = {"variance": 4, "norm": 4}
"""Operations for each element; one where nothing is said."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ReduceAxis(PhysicalOp):
    """Fused: one pass over each block. ``joined.rows`` is (elements inside each block)."""

    axis: int
    fn: str

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        lengths = valid_lengths(keys[0], self.children[0].out, self.axis)
        return Joined(without_axis(keys[0], self.axis), (lengths,))

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        (x,) = inputs
        if x.shape[1 + self.axis] == 0 and self.fn not in OF_NOTHING:
            raise InputError(
                f"{self.fn} along axis {self.axis} of {self.children[0].out.name}: the axis is "
                "empty in this run; give it at least one element"
            )
        result = reduce_blocks(ctx, x, joined.rows[0], self.axis, self.fn)
        return result.reshape(len(joined.keys), *(result.shape[1:] or (1,)))

    def cost(self, sizes: Sizes) -> Cost:
        x = self.children[0].out.bind(sizes)
        return Cost(
            flops=FLOPS.get(self.fn, 1) * prod(x.numbers),
            read=x.nbytes,
            written=self.out.bind(sizes).nbytes,
            scratch=reduce_scratch(x, self.axis, self.fn),
        )

    def detail(self) -> str:
        return f"{self.fn} along axis {self.axis}, fused"

    @property
    def takes_missing(self) -> bool:
        return self.fn in LINEAR


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CountAxis(PhysicalOp):
    """The number of elements along an axis is known without looking at them."""

    axis: int

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        (x,) = inputs
        extent = self.children[0].out.shape[self.axis]
        count = x.shape[1 + self.axis] if isinstance(extent, str) else extent
        block = (*x.shape[1 : 1 + self.axis], *x.shape[2 + self.axis :]) or (1,)
        counts = ctx.backend.to_device(np.full((len(joined.keys), *block), count, np.int64))
        return clear_padding(ctx.backend, counts, joined, self.out)

    def cost(self, sizes: Sizes) -> Cost:
        return Cost(written=self.out.bind(sizes).nbytes)

    def detail(self) -> str:
        return f"along axis {self.axis}"

    @property
    def takes_missing(self) -> bool:
        return True


def reduce_blocks(ctx: Context, x: Array, lengths: HostArray, axis: int, fn: str) -> Array:
    """Each block on its own: ``(n, *block)`` -> ``(n, *block without the axis)``."""
    if fn == "argmax":
        return ctx.backend.call(argmax_axis, x, lengths, axis)
    return ctx.backend.call(reduce_axis, x, lengths, axis, fn)


def reduce_scratch(x: TensorSchema, axis: int, fn: str) -> int:
    """Bytes that reducing blocks of ``x`` holds beside its result: a few blocks at a time."""
    itemsize = storage_dtype(x.dtype).itemsize
    piece = min(x.nbytes, max(x.block_nbytes, PIECE_NBYTES)) // itemsize
    # Blocks of one length that do not follow each other are copied, when a piece holds several;
    # a piece is let go only when the next one is there.
    apart = x.numbers[axis] % x.block_numbers[axis] != 0 and x.grid[axis] > 1
    copied = 2 * itemsize if apart and x.block_nbytes <= PIECE_NBYTES // 2 else 0
    # Differences in float64; x / scale; the axis put last.
    wide = {"variance": 8, "norm": itemsize, "argmax": itemsize}.get(fn, 0)
    return piece * (copied + wide) + 32 * (piece // x.block_numbers[axis])
