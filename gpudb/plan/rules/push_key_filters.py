"""A filter on keys says which blocks are wanted: read and multiply no others."""

from __future__ import annotations

from dataclasses import replace

from gpudb.keys import KeyTests, renumbered
from gpudb.plan.elementwise import ZipScalar
from gpudb.plan.node import Node, rewrite, uses
from gpudb.plan.relational import Aggregate, Contract, FilterKeys, Join
from gpudb.plan.tensor import Scan


def push_key_filters(plan: Node) -> Node:
    """Move tests on keys down to the scan or the join that makes the blocks."""
    while True:
        pushed = _push_one_step(plan)
        if pushed is plan:
            return plan
        plan = pushed


def _push_one_step(plan: Node) -> Node:
    count = uses(plan)

    def push(original: Node, node: Node) -> Node:
        if not isinstance(original, FilterKeys) or not isinstance(node, FilterKeys):
            return node
        if isinstance(node.child, Scan):
            return replace(node.child, tests=node.child.tests + node.tests)
        # Others who read the unfiltered blocks would have them computed twice.
        if count[id(original.child)] > 1:
            return node
        return _below(node.child, node.tests) or node

    return rewrite(plan, push)


def _below(node: Node, tests: KeyTests) -> Node | None:
    """``node`` with the tests inside it; None where they cannot move."""
    match node:
        case FilterKeys() | Join() | Contract():
            return replace(node, tests=node.tests + tests)
        case ZipScalar(fn="multiply" | "divide", swapped=False):  # zero stays zero
            return replace(node, child=FilterKeys(node.child, tests))
        case Aggregate(child=child, keep=keep, fn="sum") if len(keep) == node.schema.ndim:
            inner = renumbered(tests, dict(enumerate(keep)))
            if inner is not None:
                return replace(node, child=FilterKeys(child, inner))
    return None
