"""Serving does not train: dropout(x) is x."""

from __future__ import annotations

from gpudb.plan.node import Node, rewrite
from gpudb.plan.tensor import Dropout


def drop_dropout(plan: Node) -> Node:
    """Remove every dropout."""
    return rewrite(plan, lambda _, node: node.child if isinstance(node, Dropout) else node)
