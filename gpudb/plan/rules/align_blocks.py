"""Any block shape works: what two operators cut differently is cut again between them.

A product needs the inner axes of both sides cut alike. A step over whole rows (norms, attention,
pooling, gathering) needs its inputs in one block.
"""

from __future__ import annotations

from gpudb.plan.fused import EmbeddingNorm, Linear, ResidualNorm
from gpudb.plan.node import Node, rewrite
from gpudb.plan.sequence import Attention, Context, Normalize, Pool, PoolNormalize, Scores, Softmax
from gpudb.plan.tensor import Columns, ConcatRows, Gather, LayerNorm, Matmul, Reblock, Zip
from gpudb.types import TensorSchema

WHOLE_INPUTS = (
    Attention,
    Columns,
    ConcatRows,
    Context,
    EmbeddingNorm,
    Gather,
    LayerNorm,
    Linear,
    Normalize,
    Pool,
    PoolNormalize,
    ResidualNorm,
    Scores,
    Softmax,
)


def align_blocks(plan: Node) -> Node:
    """Insert a reblock wherever an operator cannot take its input as it is cut."""

    def align(_: Node, node: Node) -> Node:
        if isinstance(node, WHOLE_INPUTS):
            return node.map_children(_whole)
        match node:
            case Matmul(left=left, right=right):
                inner = right.schema.block[node.inner]
                if left.schema.block[1] != inner:
                    cut = Reblock(left, (left.schema.block[0], inner))
                    return Matmul(cut, right, node.transpose_right)
            case Zip(left=left, right=right):
                if left.schema.block[-right.schema.ndim :] != right.schema.block:
                    return Zip(_whole(left), _whole(right), node.fn)
        return node

    return rewrite(plan, align)


def _whole(node: Node) -> Node:
    schema = node.schema
    if schema.is_one_block:
        return node
    return Reblock(node, TensorSchema.one_block(schema.name, schema.shape).block)
