"""Multi-head self-attention in its relational reading; rules make one step of it."""

from __future__ import annotations

from gpudb.models.architecture import SEQUENCES
from gpudb.plan.node import Node
from gpudb.plan.sequence import Context, Scores, Softmax
from gpudb.plan.tensor import Dropout


def self_attention(query: Node, key: Node, value: Node, heads: int, dropout: float) -> Node:
    """Join queries and keys by sequence and head, softmax by query row, join with values."""
    width = query.schema.shape[1]
    assert isinstance(width, int)  # the rows of a stored weight
    scale = float((width // heads) ** -0.5)
    scores = Scores(query, key, SEQUENCES, heads, scale)
    weights = Dropout(Softmax(scores, SEQUENCES), dropout)
    return Context(weights, value, SEQUENCES)
