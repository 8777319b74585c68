"""An encoder as relational algebra over small blocks, for one batch of sequences.

Every step becomes what it is in the algebra: a projection a join on the inner key and a sum, the
scores of attention a join of queries with keys on (head, width) that only pairs of blocks sharing
a sequence take part in, pooling a grouped aggregate. It computes the same numbers as the fused
plan, takes longer, and runs where a matrix, or the scores, must not be in memory at once. It is
what ``EXPLAIN (RELATIONAL)`` shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from gpudb.errors import UnsupportedError
from gpudb.keys import in_shared_sequences
from gpudb.plan.elementwise import ZipScalar
from gpudb.plan.node import Node, rewrite
from gpudb.plan.reduce import SegmentAggregate
from gpudb.plan.relational import Aggregate, FilterKeys, Join
from gpudb.plan.reshape import MergeAxes, Slice, SplitAxis, Transpose
from gpudb.plan.sequence import (
    Attention,
    ByDistance,
    Context,
    DistanceScores,
    Pool,
    Rotary,
    Scores,
    SequenceSoftmax,
    Softmax,
)
from gpudb.plan.tensor import Columns, Gather, Input, Matmul, Reblock, Scan, Zip
from gpudb.types import Extent, TensorSchema

SEGMENTS = "segments"
"""Input of a blockwise plan: the number of each row's sequence, ``(tokens,)``."""

STARTS = "starts"
"""Input of a blockwise plan: the first row of each sequence that has one."""

ENDS = "ends"
"""Input of a blockwise plan: the last row of each sequence that has one."""

STARTED = "started"
"""Input of a blockwise plan: the numbers of those sequences."""

SHARES = {"root_mean": "root_shares", "rising_mean": "rising_shares"}
"""Kind of pooling -> input of a blockwise plan: what each row is multiplied by, ``(tokens,)``."""


def blockwise(plan: Node, offsets: tuple[int, ...], block: int) -> Node:
    """The plan of one batch, every matrix in blocks of ``block`` × ``block``.

    Parameters
    ----------
    plan
        An encoder's plan as it is stored, before any rule.
    offsets
        The batch's sequences: sequence ``s`` has the rows ``offsets[s] <= row < offsets[s + 1]``.
    block
        Rows and columns of a block.

    Returns
    -------
    Node
        A plan with bound extents. Its inputs are those of ``plan`` without ``sequences``, and
        :data:`SEGMENTS`, :data:`STARTS`, :data:`ENDS`, :data:`STARTED` and :data:`SHARES` if it
        pools.
    """
    form = _Form(offsets, block)
    return rewrite(plan, lambda _, node: form.of(node))


@dataclass(frozen=True, slots=True)
class _Form:
    """What a node becomes in one batch."""

    offsets: tuple[int, ...]
    block: int

    @property
    def sizes(self) -> dict[str, int]:
        return {
            "tokens": self.offsets[-1],
            "sequences": len(self.offsets) - 1,
            "offsets": len(self.offsets),
        }

    def of(self, node: Node) -> Node:
        match node:
            case Input():
                return self.cut(Input(node.tensor.bind(self.sizes)))
            case Scan():
                return self.cut(node)
            case Gather(table=table, rows=rows):
                return self.cut(Gather(_whole_rows(table), rows))
            case Matmul(left=left, right=right):
                return _product(left, right, node.transpose_right)
            case Columns(child=child, start=start, stop=stop):
                return self.cut(Slice(child, (0, start), (child.schema.numbers[0], stop)))
            case Rotary(x=x):
                return self.cut(replace(node, x=_whole_rows(x)))
            case Scores():
                return self.scores(node)
            case DistanceScores():
                raise UnsupportedError(
                    "execution='relational' has no step for scores with vectors of distances, as "
                    "DeBERTa has them; set execution='fused'"
                )
            case Softmax(scores=scores):
                return SequenceSoftmax(scores, self.offsets)
            case Context(weights=weights, value=value):
                return self.context(weights, value)
            case Pool(child=child, kind=kind):
                return self.pooled(child, kind)
            case Attention():
                raise UnsupportedError("blockwise() reads a plan as stored, before the rules")
        return node

    def cut(self, node: Node) -> Node:
        """``node`` in square blocks, or in what is left of one where it is smaller."""
        block = tuple(min(self.block, max(1, extent)) for extent in node.schema.numbers)
        return node if node.schema.block == block else Reblock(node, block)

    def scores(self, node: Scores) -> Node:
        """``(tokens, heads, tokens)``: joined on head and width, summed over the width."""
        q, k = (_split_heads(x, node.heads) for x in (node.query, node.key))
        pairs = Join(q, k, ((1, 1), (2, 2)), "matmul_transposed")
        shared = in_shared_sequences(self.offsets, q.schema.block_numbers[0])
        products = FilterKeys(Aggregate(pairs, (0, 1, 3), "sum"), (shared,))
        scaled = ZipScalar(products, "multiply", node.scale)
        if node.relative is None:
            return scaled
        rows = scaled.schema.block_numbers[0]
        return Zip(scaled, ByDistance(node.relative, self.offsets, node.heads, rows), "add")

    def context(self, weights: Node, value: Node) -> Node:
        """Joined with the values on head and key row, summed over the key rows."""
        heads = weights.schema.numbers[1]
        v = Transpose(_split_heads(value, heads), (1, 0, 2))
        pairs = Join(weights, v, ((1, 0), (2, 1)), "matmul")
        return self.cut(MergeAxes(Aggregate(pairs, (0, 1, 3), "sum"), 1))

    def pooled(self, child: Node, kind: str) -> Node:
        """One row per sequence."""
        tokens, sequences = self.sizes["tokens"], self.sizes["sequences"]
        if kind in ("cls", "last"):
            started = sum(a < b for a, b in pairwise(self.offsets))
            chosen = self.numbers(STARTS if kind == "cls" else ENDS, started)
            rows = self.cut(Gather(_whole_rows(child), chosen))
            return SegmentAggregate(rows, self.numbers(STARTED, started), sequences, "sum")
        segments = self.numbers(SEGMENTS, tokens)
        if kind not in SHARES:
            return SegmentAggregate(child, segments, sequences, kind)
        shares = self.numbers(SHARES[kind], tokens, child.schema.dtype)
        by_row = Zip(Transpose(child, (1, 0)), shares, "multiply")  # joined on the row
        return SegmentAggregate(Transpose(by_row, (1, 0)), segments, sequences, "sum")

    def numbers(self, name: str, extent: int, dtype: str = "int32") -> Node:
        return self.cut(Input(TensorSchema.one_block(name, (extent,), dtype)))


def _product(left: Node, right: Node, transposed: bool) -> Node:
    kernel = "matmul_transposed" if transposed else "matmul"
    pairs = Join(left, right, ((1, 1 if transposed else 0),), kernel)
    return Aggregate(pairs, (0, 2), "sum")


def _split_heads(x: Node, heads: int) -> Node:
    """``(tokens, heads · d)`` -> ``(tokens, heads, d)``, one head per block."""
    width = x.schema.numbers[1]
    split = SplitAxis(x, 1, width // heads)
    block = (*split.schema.block[:1], 1, split.schema.block[2])
    return split if split.schema.block == block else Reblock(split, block)


def _whole_rows(table: Node) -> Node:
    """Rows are gathered from panels: blocks that span every axis but the first."""
    s = table.schema
    block: tuple[Extent, ...] = (s.block[0], *(max(1, e) for e in s.numbers[1:]))
    if isinstance(table, Reblock) and isinstance(table.child, Scan):
        return _whole_rows(table.child)
    return table if s.block == block else Reblock(table, block)
