"""Disentangled attention: scores of contents, and of contents with learned vectors of distances.

He et al., "DeBERTa: Decoding-enhanced BERT with Disentangled Attention", 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpudb.errors import CheckpointError
from gpudb.models.architecture import SEQUENCES, Config, whole_number
from gpudb.models.distances import MOST_DISTANCE, constant_rows
from gpudb.plan.node import Node
from gpudb.plan.sequence import Context, DistanceScores, Scores, Softmax
from gpudb.plan.tensor import Dropout, Zip
from gpudb.types import HostArray

TERMS = ("c2p", "p2c")
"""Content to position, the query's row with the vector of the distance; position to content, the
key's."""


def terms(config: Config) -> tuple[str, ...]:
    """The terms that a config asks for: a list, or one text with bars between."""
    found = config.get("pos_att_type")
    parts = found.lower().split("|") if isinstance(found, str) else found or ()
    named = [part.strip() for part in parts if isinstance(part, str)]
    if len(named) != len(parts) or not set(named) <= set(TERMS):
        raise CheckpointError(
            f"config.json: pos_att_type is {found!r}; gpudb computes {' and '.join(TERMS)}"
        )
    return tuple(named)


def longest_distance(config: Config) -> int:
    """From this distance on, all have the same vector of their side."""
    found = config.get("max_relative_positions", -1)
    key = "max_relative_positions" if found != -1 and found != 0 else "max_position_embeddings"
    longest = whole_number(config, key, 2)
    if longest > MOST_DISTANCE:
        raise CheckpointError(
            f"config.json: {key} is {longest}; expected a whole number up to {MOST_DISTANCE}"
        )
    return longest


def vector_rows(longest: int, buckets: int) -> HostArray:
    """Row of the table of vectors for each distance from query to key: ``(2·longest + 1,)``.

    Distances are counted from key to query, and the table begins with the farthest key ahead.

    Parameters
    ----------
    longest
        As :func:`longest_distance` gives it.
    buckets
        On either side: the first half has one for each distance, the others grow with its
        logarithm. 0 for none, a vector for each distance. In float32, as PyTorch computes them: a
        distance at the edge of two buckets must not move.
    """
    to_query = -np.arange(-longest, longest + 1)
    if not buckets:
        return np.clip(to_query + longest, 0, 2 * longest - 1)
    middle = buckets // 2
    if not 1 <= middle < longest - 1:
        raise CheckpointError(
            f"config.json: position_buckets is {buckets} for distances up to {longest}; expected "
            "at least 2, and less than twice the distance"
        )
    away = np.maximum(np.abs(to_query), middle).astype(np.float32)
    unit = np.log(np.float32((longest - 1) / middle))
    grown = np.ceil(np.log(away / np.float32(middle)) / unit * np.float32(middle - 1)) + middle
    bucket = np.where(np.abs(to_query) <= middle, to_query, grown * np.sign(to_query))
    return np.clip(bucket.astype(np.int64) + buckets, 0, 2 * buckets - 1)


@dataclass(frozen=True, slots=True)
class Projected:
    """What one layer's attention is made of: ``(tokens, width)``, vectors ``(r, width)``."""

    query: Node
    key: Node
    value: Node
    key_vectors: Node | None
    """Of distances, for queries to be multiplied with; None without that term."""
    query_vectors: Node | None
    """For keys to be multiplied with."""


def disentangled_attention(
    of: Projected, heads: int, scale: float, dropout: float, rows: HostArray
) -> Node:
    """Contexts ``(tokens, width)``; ``rows`` are those of :func:`vector_rows`."""
    scores: Node = Scores(of.query, of.key, SEQUENCES, heads, scale)
    chosen = constant_rows("distances", rows)
    multiplied = ((of.query, of.key_vectors, False), (of.key, of.query_vectors, True))
    for x, vectors, by_key in multiplied:
        if vectors is not None:
            term = DistanceScores(x, vectors, chosen, SEQUENCES, heads, scale, by_key)
            scores = Zip(scores, term, "add")
    return Context(Dropout(Softmax(scores, SEQUENCES), dropout), of.value, SEQUENCES)
