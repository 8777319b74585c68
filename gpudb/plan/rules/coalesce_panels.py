"""Blocks that lie together are multiplied together.

A stored matrix cut into row panels (whole inner dimension) is, panel after panel, one row-major
matrix: a join of its blocks becomes one large GEMM without a copy.
"""

from __future__ import annotations

from gpudb.plan.cuts import cut_matters
from gpudb.plan.node import Node, rewrite
from gpudb.plan.tensor import Coalesce, Scan, are_row_panels


def coalesce_panels(plan: Node) -> Node:
    """Read every stored tensor that is cut along its first axis only as one block.

    Not where a step above looks at the keys of its panels.
    """
    fixed = cut_matters(plan)

    def coalesce(original: Node, node: Node) -> Node:
        if (
            isinstance(node, Scan)
            and id(original) not in fixed
            and not node.tests  # blocks that are not read would have to be filled in
            and node.schema.shape[0] != 0
            and are_row_panels(node.schema)
        ):
            return Coalesce(node)
        if isinstance(original, Coalesce) and isinstance(node, Coalesce):
            return original  # is one block already
        return node

    return rewrite(plan, coalesce)
