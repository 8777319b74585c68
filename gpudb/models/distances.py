"""What attention adds by distance: buckets of distances, and numbers that a model learned."""

from __future__ import annotations

from math import log

import numpy as np

from gpudb.errors import CheckpointError
from gpudb.plan.node import Node
from gpudb.plan.reshape import Transpose
from gpudb.plan.tensor import Constant, Gather
from gpudb.types import HostArray, TensorSchema

MOST_DISTANCE = 1 << 16
"""Far above any model; plans hold a number for each distance up to the longest."""


def constant_rows(name: str, rows: HostArray) -> Constant:
    """Row numbers as a part of a plan."""
    return Constant(TensorSchema(name, rows.shape, rows.shape, "int32"), tuple(rows.tolist()))


def added_by_distance(table: Node, buckets: int, longest: int) -> Node:
    """A table ``(buckets, heads)`` as attention adds it: ``(heads, 2·longest + 1)``.

    Parameters
    ----------
    table
        A number for each bucket and head.
    buckets
        Buckets that are used, the first of the table.
    longest
        From this distance on, all are in the last bucket of their side.
    """
    rows = constant_rows("buckets", distance_buckets(buckets, longest))
    return Transpose(Gather(table, rows), (1, 0))


def distance_buckets(buckets: int, longest: int) -> HostArray:
    """Bucket of each distance from ``-longest`` to ``longest``: ``(2·longest + 1,)``.

    Half of the buckets are for keys behind the query. Of each half, the first half has a bucket for
    each distance, the others grow with its logarithm: Raffel et al., "Exploring the Limits of
    Transfer Learning with a Unified Text-to-Text Transformer", 2019. In float32, as PyTorch
    computes them: a distance at the edge of two buckets must not move.
    """
    half = buckets // 2
    exact = half // 2
    if exact < 1 or not exact < longest <= MOST_DISTANCE:
        raise CheckpointError(
            f"config.json: {buckets} buckets for distances up to {longest}; expected at least 4, "
            f"and a distance above a quarter of them and up to {MOST_DISTANCE}"
        )
    distances = np.arange(-longest, longest + 1)
    away = np.abs(distances)
    ratio = np.maximum(away, exact).astype(np.float32) / np.float32(exact)
    grown = np.log(ratio) / np.float32(log(longest / exact)) * np.float32(half - exact)
    far = np.minimum(exact + grown.astype(np.int64), half - 1)
    return np.where(away < exact, away, far) + np.where(distances > 0, half, 0)
