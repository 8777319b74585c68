"""Attention in its relational reading: scores, softmax and context over stored pairs."""

from __future__ import annotations

from dataclasses import dataclass

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.kernels.attention_context import attention_context
from gpudb.kernels.attention_scores import attention_scores
from gpudb.kernels.distance_scores import distance_scores
from gpudb.kernels.pair_softmax import pair_softmax
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PairScores(PhysicalOp):
    """q, k ``(1, n, heads·d)``, offsets ``(1, s + 1)`` -> ``(1, pairs, heads)``.

    A fourth input is added by distance, ``(1, heads or 1, 2m - 1)``.
    """

    heads: int
    scale: float

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        q, k, offsets, *relative = (i[0] for i in inputs)
        pairs, heads = self.out.bind(ctx.sizes).numbers
        args = (q, k, offsets, pairs, heads, self.scale, *relative)
        return ctx.backend.call(attention_scores, *args)[None]

    def cost(self, sizes: Sizes) -> Cost:
        width = self.children[0].out.bind(sizes).numbers[1]
        out = self.out.bind(sizes).nbytes
        added = len(self.children) - 3
        flops = sizes["pairs"] * (2 * width + (1 + added) * self.heads)
        read = self.input_nbytes(sizes)
        return Cost(flops, read, out, scratch=read + 2 * out)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PairDistanceScores(PhysicalOp):
    """x ``(1, n, heads·d)``, table ``(1, r, heads·d)``, rows ``(1, 2m - 1)``, offsets -> pairs."""

    heads: int
    scale: float
    by_key: bool

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        x, table, rows, offsets = (i[0] for i in inputs)
        pairs, heads = self.out.bind(ctx.sizes).numbers
        args = (x, table, rows, offsets, pairs, heads, self.scale, self.by_key)
        return ctx.backend.call(distance_scores, *args)[None]

    def cost(self, sizes: Sizes) -> Cost:
        rows, width = self.children[1].out.numbers
        near = min(rows, 2 * sizes.get("longest", rows))
        out, read = self.out.bind(sizes).nbytes, self.input_nbytes(sizes)
        flops = 2 * sizes["tokens"] * near * width + sizes["pairs"] * self.heads
        # Each row of each head times the rows of the table that are near; twice, as the result.
        products = self.children[0].out.bind(sizes).nbytes * near * self.heads // width
        return Cost(flops, read, out, scratch=read + 2 * (products + out))

    def detail(self) -> str:
        return "of keys" if self.by_key else "of queries"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PairSoftmax(PhysicalOp):
    """``(1, pairs, heads)``, offsets ``(1, s + 1)`` -> ``(1, pairs, heads)``."""

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        scores, offsets = (i[0] for i in inputs)
        return ctx.backend.call(pair_softmax, scores, offsets)[None]

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        flops = 5 * out.numbers[0] * out.numbers[1]
        return Cost(flops, self.input_nbytes(sizes), out.nbytes, scratch=2 * out.nbytes)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PairContext(PhysicalOp):
    """weights ``(1, pairs, heads)``, v ``(1, n, heads·d)``, offsets -> ``(1, n, heads·d)``."""

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        weights, v, offsets = (i[0] for i in inputs)
        return ctx.backend.call(attention_context, weights, v, offsets)[None]

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        read = self.input_nbytes(sizes)
        flops = 2 * sizes["pairs"] * out.numbers[1]
        return Cost(flops, read, out.nbytes, scratch=3 * out.nbytes)
