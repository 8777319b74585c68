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

    A fifth input is the bias of q, k and v, ``(1, 3·heads·d)``.
    """

    heads: int
    scale: float

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        q, k, v, offsets, *bias = (i[0] for i in inputs)
        added = (False, None, *bias) if bias else ()
        return ctx.backend.call(attention, q, k, v, offsets, self.heads, self.scale, *added)[None]

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        width = out.numbers[1]
        # Two products over all pairs; softmax: scale, max, difference, exp, sum, division.
        flops = sizes["pairs"] * (4 * width + 6 * self.heads)
        if self._has_bias:
            flops += 3 * prod(out.numbers)
        tokens = sizes["tokens"]
        longest = sizes.get("longest", tokens)
        itemsize = storage_dtype(out.dtype).itemsize
        one = self.heads * longest * longest * itemsize
        scores = min(sizes["pairs"] * self.heads * itemsize, max(SCORES_NBYTES, one))
        # Short sequences are taken many at a time; q, k, v and the context, twice, are copied.
        rows = min(tokens, max(longest, SCORES_NBYTES // (self.heads * itemsize)))
        return Cost(
            flops=flops,
            read=self.input_nbytes(sizes),
            written=out.nbytes,
            scratch=scores + 5 * rows * width * itemsize,
        )

    def detail(self) -> str:
        return f"bias, {self.heads} heads" if self._has_bias else f"{self.heads} heads"

    @property
    def _has_bias(self) -> bool:
        return len(self.children) == 5
