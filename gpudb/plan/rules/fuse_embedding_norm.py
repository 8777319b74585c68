"""Rows gathered from several tables, added and normalised, in one pass over each row."""

from __future__ import annotations

from gpudb.plan.fused import EmbeddingNorm
from gpudb.plan.node import Node, rewrite
from gpudb.plan.tensor import Gather, LayerNorm, Zip


def fuse_embedding_norm(plan: Node) -> Node:
    """Turn ``LayerNorm(Gather + Gather + …)`` into one step."""

    def fuse(_: Node, node: Node) -> Node:
        if not isinstance(node, LayerNorm):
            return node
        gathers = _summed_gathers(node.child)
        if len(gathers) < 2:
            return node
        tables = tuple(g.table for g in gathers)
        rows = tuple(g.rows for g in gathers)
        return EmbeddingNorm(tables, rows, node.gamma, node.beta, node.eps)

    return rewrite(plan, fuse)


def _summed_gathers(node: Node) -> tuple[Gather, ...]:
    """The gathers of a sum, left to right; empty when anything else is summed too."""
    match node:
        case Gather():
            return (node,)
        case Zip(left=left, right=right, fn="add") if left.schema.shape == right.schema.shape:
            a, b = _summed_gathers(left), _summed_gathers(right)
            return a + b if a and b else ()
    return ()
