"""Multi-head self-attention in its relational reading; rules make one step of it."""

from __future__ import annotations

from gpudb.models.architecture import SEQUENCES
from gpudb.plan.node import Node
from gpudb.plan.sequence import Context, Scores, Softmax
from gpudb.plan.tensor import Dropout


def self_attention(
    query: Node,
    key: Node,
    value: Node,
    heads: int,
    dropout: float,
    *,
    scale: float | None = None,
    relative: Node | None = None,
) -> Node:
    """Join queries and keys by sequence and head, softmax by query row, join with values.

    Parameters
    ----------
    query, key, value
        ``(tokens, width)``.
    heads
        Divides the width.
    dropout
        Share of weights that training drops.
    scale
        What products are multiplied by; unless given, one over the root of a head's width.
    relative
        What is added to scores by distance, ``(heads or 1, 2m - 1)``, see :class:`Scores`.
    """
    if scale is None:
        width = query.schema.shape[1]
        assert isinstance(width, int)  # the rows of a stored weight
        scale = float((width // heads) ** -0.5)
    scores = Scores(query, key, SEQUENCES, heads, scale, relative)
    weights = Dropout(Softmax(scores, SEQUENCES), dropout)
    return Context(weights, value, SEQUENCES)
