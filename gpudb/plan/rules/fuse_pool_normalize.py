"""Pooling and normalising a sequence's rows is one pass."""

from __future__ import annotations

from gpudb.plan.node import Node, rewrite, uses
from gpudb.plan.sequence import Normalize, Pool, PoolNormalize


def fuse_pool_normalize(plan: Node) -> Node:
    """Turn ``Normalize(Pool(x))`` into one step."""
    count = uses(plan)

    def fuse(original: Node, node: Node) -> Node:
        match original, node:
            case Normalize(child=inner), Normalize(child=Pool() as pool, eps=eps) if (
                count[id(inner)] == 1
            ):
                return PoolNormalize(pool.child, pool.sequences, pool.kind, eps)
        return node

    return rewrite(plan, fuse)
