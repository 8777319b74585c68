"""A filter on keys says which blocks are wanted; read no others."""

from __future__ import annotations

from gpudb.plan.node import Node, rewrite
from gpudb.plan.relational import FilterKeys
from gpudb.plan.tensor import Scan


def push_key_filters(plan: Node) -> Node:
    """Move tests on keys into the scan below, and merge filters of filters."""

    def push(_: Node, node: Node) -> Node:
        match node:
            case FilterKeys(child=Scan() as scan):
                return Scan(scan.tensor, scan.tests + node.tests)
            case FilterKeys(child=FilterKeys() as inner):
                return FilterKeys(inner.child, inner.tests + node.tests)
        return node

    return rewrite(plan, push)
