"""Attention adds the bias of its projection itself, to rows that it has just read.

The merged projection of query, key and value is then a plain product: no step reads and writes all
three once more only to add a vector.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from gpudb.plan.fused import Linear
from gpudb.plan.node import Node, rewrite, uses
from gpudb.plan.sequence import Attention
from gpudb.plan.tensor import Columns, Matmul


def fuse_attention_bias(plan: Node) -> Node:
    """Move the bias of a merged projection into the attention, where that alone reads it."""
    count = uses(plan)

    def fuse(original: Node, node: Node) -> Node:
        if not isinstance(original, Attention) or not isinstance(node, Attention):
            return node
        if not _reads_thirds_of_one_projection(original, count):
            return node
        columns = (node.query, node.key, node.value)
        linear = columns[0].children[0]
        assert isinstance(linear, Linear)  # as it was before its inputs were rewritten
        product = Matmul(linear.x, linear.weight, transpose_right=True)
        query, key, value = (
            Columns(product, c.start, c.stop) for c in columns if isinstance(c, Columns)
        )
        return replace(node, query=query, key=key, value=value, bias=linear.bias)

    return rewrite(plan, fuse)


def _reads_thirds_of_one_projection(node: Attention, count: Counter[int]) -> bool:
    """True when query, key and value are all of one linear step, in order, and nobody else's."""
    match node.query, node.key, node.value:
        case (
            Columns(child=Linear(activation=None) as linear) as query,
            Columns() as key,
            Columns() as value,
        ):
            width = query.stop
            thirds = [(0, width), (width, 2 * width), (2 * width, 3 * width)]
            columns = (query, key, value)
            return (
                [(c.start, c.stop) for c in columns] == thirds
                and linear.schema.shape[1] == 3 * width
                and all(c.child is linear and count[id(c)] == 1 for c in columns)
                and count[id(linear)] == len(columns)
            )
    return False
