"""Any block shape works: what two operators cut differently is cut again between them.

Joined axes need blocks of one extent on both sides. A step over a row and a vector (layer-norm)
needs the vector cut like the row; one that turns rows by their positions, whole rows. Splitting and
merging axes need blocks that do not straddle. Rows are gathered from panels. A step of a fused
encoder, which sees whole rows of whole sequences, needs its inputs in one block. Below a step that
looks at block keys, what was cut again is cut back.
"""

from __future__ import annotations

from dataclasses import replace

from gpudb.plan.cuts import cut_matters
from gpudb.plan.fused import EmbeddingNorm, Gated, Linear, ResidualNorm, RmsNorm
from gpudb.plan.node import Node, rewrite
from gpudb.plan.reduce import SegmentAggregate
from gpudb.plan.relational import Contract, Join
from gpudb.plan.reshape import Concat, MergeAxes, SplitAxis
from gpudb.plan.sequence import (
    Attention,
    ByDistance,
    Context,
    DistanceScores,
    Pool,
    PoolNormalize,
    Rotary,
    Scores,
    Softmax,
)
from gpudb.plan.tensor import Columns, ConcatRows, Gather, LayerNorm, Matmul, Reblock, Zip
from gpudb.types import Extent, TensorSchema

WHOLE_INPUTS = (
    Attention,
    ByDistance,
    Columns,
    ConcatRows,
    Context,
    DistanceScores,
    EmbeddingNorm,
    Gated,
    Linear,
    Pool,
    PoolNormalize,
    ResidualNorm,
    RmsNorm,
    Scores,
    Softmax,
)


def align_blocks(plan: Node) -> Node:
    """Insert a reblock wherever an operator cannot take its input as it is cut.

    Where a step above looks at keys, the result is cut again as it was.
    """
    fixed = cut_matters(plan)

    def align(original: Node, node: Node) -> Node:
        aligned = _align(node)
        return _cut(aligned, original.schema.block) if id(original) in fixed else aligned

    return rewrite(plan, align)


def _align(node: Node) -> Node:
    if isinstance(node, WHOLE_INPUTS):
        return node.map_children(_whole)
    match node:
        case Matmul(left=left, right=right):
            inner = right.schema.block[node.inner]
            return replace(node, left=_cut(left, (left.schema.block[0], inner)))
        case Zip(left=left, right=right):
            return replace(node, right=_cut(right, left.schema.block[-right.schema.ndim :]))
        case Join(left=left, right=right, on=on) | Contract(left=left, right=right, on=on):
            block = list(right.schema.block)
            for left_axis, right_axis in on:
                block[right_axis] = left.schema.block[left_axis]
            return replace(node, right=_cut(right, tuple(block)))
        case LayerNorm(child=child, gamma=gamma, beta=beta):
            row = child.schema.block[-1:]
            return replace(node, gamma=_cut(gamma, row), beta=_cut(beta, row))
        case Rotary(x=x, positions=positions):
            rows = x.schema.block[0]
            whole = _cut(x, (rows, x.schema.shape[1]))
            return replace(node, x=whole, positions=_cut(positions, (rows,)))
        case Gather(table=table):
            s = table.schema
            panels = (s.block[0], *TensorSchema.one_block(s.name, s.shape).block[1:])
            return replace(node, table=_cut(table, panels))
        case Concat(parts=parts):
            first = parts[0].schema.block
            return replace(node, parts=tuple(_cut(part, first) for part in parts))
        case SplitAxis(child=child, axis=axis):
            block = list(child.schema.block)
            block[axis] = node.fitting_block
            return replace(node, child=_cut(child, tuple(block)))
        case MergeAxes(child=child, axis=axis):
            block = list(child.schema.block)
            block[axis : axis + 2] = node.fitting_block
            return replace(node, child=_cut(child, tuple(block)))
        case SegmentAggregate(child=child, segments=segments):
            return replace(node, segments=_cut(segments, child.schema.block[:1]))
    return node


def _cut(node: Node, block: tuple[Extent, ...]) -> Node:
    return node if node.schema.block == block else Reblock(node, block)


def _whole(node: Node) -> Node:
    schema = node.schema
    if schema.is_one_block:
        return node
    return Reblock(node, TensorSchema.one_block(schema.name, schema.shape).block)
