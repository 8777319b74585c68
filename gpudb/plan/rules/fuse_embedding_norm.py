"""Rows gathered from several tables, added and normalised, in one pass over each row."""

from __future__ import annotations

from collections import Counter

from gpudb.plan.fused import EmbeddingNorm
from gpudb.plan.node import Node, rewrite, uses
from gpudb.plan.tensor import Gather, Input, LayerNorm, Zip


def fuse_embedding_norm(plan: Node) -> Node:
    """Turn ``LayerNorm(Gather + Gather + …)`` into one step; one gather will do.

    Where the row numbers are inputs: a model checks those before it runs, others ``Gather`` checks.
    """
    count = uses(plan)

    def fuse(original: Node, node: Node) -> Node:
        if not isinstance(original, LayerNorm) or not isinstance(node, LayerNorm):
            return node
        # A sum that somebody else reads as well has to exist anyway.
        if not _is_private(original.child, count):
            return node
        gathers = _summed_gathers(node.child)
        if not gathers:
            return node
        tables = tuple(g.table for g in gathers)
        rows = tuple(g.rows for g in gathers)
        return EmbeddingNorm(tables, rows, node.gamma, node.beta, node.eps)

    return rewrite(plan, fuse)


def _summed_gathers(node: Node) -> tuple[Gather, ...]:
    """The gathers of a sum, left to right; empty when anything else is summed too."""
    match node:
        case Gather(rows=Input()):
            return (node,)
        case Zip(left=left, right=right, fn="add") if left.schema.shape == right.schema.shape:
            a, b = _summed_gathers(left), _summed_gathers(right)
            return a + b if a and b else ()
    return ()


def _is_private(node: Node, count: Counter[int]) -> bool:
    """True when one step alone reads the sum, and each sum within it."""
    if count[id(node)] > 1:
        return False
    inner = node.children if isinstance(node, Zip) else ()
    return all(_is_private(child, count) for child in inner)
