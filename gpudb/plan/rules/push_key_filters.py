"""A filter on keys says which blocks are wanted: read and multiply no others."""

from __future__ import annotations

from dataclasses import replace

from gpudb.keys import KeyTests, renumbered
from gpudb.plan.elementwise import ZipScalar
from gpudb.plan.node import Node, rewrite, uses
from gpudb.plan.relational import PRODUCTS, Aggregate, Contract, FilterKeys, Join
from gpudb.plan.tensor import Map, Scan, Zip

KEEP_ZERO = (
    "abs", "gelu", "gelu_tanh", "negative", "quick_gelu", "relu", "silu", "sqrt", "square", "tanh",
)  # fmt: skip
"""Functions that make zero of zero, so that what is not read need not be computed."""


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
        case FilterKeys() | Contract():
            return replace(node, tests=node.tests + tests)
        case Join(kernel=kernel) if kernel in PRODUCTS:
            return replace(node, tests=node.tests + tests)
        case Map(fn=fn) if fn in KEEP_ZERO:
            return replace(node, child=FilterKeys(node.child, tests))
        case ZipScalar(fn="multiply" | "divide", swapped=False, value=value) if value != 0:
            return replace(node, child=FilterKeys(node.child, tests))
        case Zip(left=left, right=right, fn="add" | "subtract" | "multiply") if (
            left.schema.ndim == right.schema.ndim and left.schema.block == right.schema.block
        ):
            return replace(node, left=FilterKeys(left, tests), right=FilterKeys(right, tests))
        case Aggregate(child=child, keep=keep, fn="sum") if len(keep) == node.schema.ndim:
            inner = renumbered(tests, dict(enumerate(keep)))
            if inner is not None:
                return replace(node, child=FilterKeys(child, inner))
    return None
