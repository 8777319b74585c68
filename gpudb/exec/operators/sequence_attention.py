"""Attention within each sequence, as one kernel."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.kernels.attention import SCORES_NBYTES, attention
from gpudb.types import Sizes, storage_dtype


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SequenceAttention(PhysicalOp):
    """q, k, v ``(1, n, heads·d)``, offsets ``(1, s + 1)`` -> ``(1, n, heads·d)``.

    More inputs are, where they are there, the bias of q, k and v, ``(1, 3·heads·d)``, and what is
    added to scores by distance, ``(1, heads or 1, 2m - 1)``.
    """

    heads: int
    scale: float
    has_bias: bool
    has_relative: bool

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        q, k, v, offsets, *more = (i[0] for i in inputs)
        args = [q, k, v, offsets, self.heads, self.scale]
        if more:
            bias = more[0] if self.has_bias else None
            args += [False, None, bias, more[-1] if self.has_relative else None]
        return ctx.backend.call(attention, *args)[None]

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        width = out.numbers[1]
        # Two products over all pairs; softmax: scale, max, difference, exp, sum, division.
        flops = sizes["pairs"] * (4 * width + (6 + self.has_relative) * self.heads)
        if self.has_bias:
            flops += 3 * prod(out.numbers)
        tokens = sizes["tokens"]
        longest = sizes.get("longest", tokens)
        itemsize = storage_dtype(out.dtype).itemsize
        one = self.heads * longest * longest * itemsize
        scores = min(sizes["pairs"] * self.heads * itemsize, max(SCORES_NBYTES, one))
        # Short sequences are taken many at a time; q, k, v and the context, twice, are copied.
        rows = min(tokens, max(longest, SCORES_NBYTES // (self.heads * itemsize)))
        by_distance = 2 * self.heads * longest * itemsize if self.has_relative else 0
        return Cost(
            flops=flops,
            read=self.input_nbytes(sizes),
            written=out.nbytes,
            scratch=scores + 5 * rows * width * itemsize + by_distance,
        )

    def detail(self) -> str:
        given = (("bias", self.has_bias), ("relative positions", self.has_relative))
        return ", ".join((*(name for name, there in given if there), f"{self.heads} heads"))
