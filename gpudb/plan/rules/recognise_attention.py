"""Scores, softmax and context over one sequence relation are one attention step.

The three are a join, two aggregates and a join over the same pairs of tokens. Done together, a
query row's scores are used up before the next row's exist, so the pairs are never stored.
"""

from __future__ import annotations

from gpudb.plan.node import Node, rewrite, uses
from gpudb.plan.sequence import Attention, Context, Scores, Softmax


def recognise_attention(plan: Node) -> Node:
    """Fuse scores → softmax → context where nobody else reads the scores or the weights."""
    count = uses(plan)

    def fuse(original: Node, node: Node) -> Node:
        if not isinstance(original, Context) or count[id(original.weights)] > 1:
            return node
        match original.weights, node:
            case Softmax(scores=Scores() as inner), Context(
                weights=Softmax(scores=Scores() as scores)
            ) if count[id(inner)] == 1:
                return Attention(
                    scores.query,
                    scores.key,
                    node.value,
                    scores.sequences,
                    scores.heads,
                    scores.scale,
                    relative=scores.relative,
                )
        return node

    return rewrite(plan, fuse)
