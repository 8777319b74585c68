"""Which nodes must stay cut as they are: where a step above looks at the keys of their blocks."""

from __future__ import annotations

from gpudb.plan.node import Node, walk
from gpudb.plan.relational import PRODUCTS, Aggregate, Contract, FilterKeys, Join, Project, Rekey
from gpudb.plan.reshape import Broadcast
from gpudb.plan.tensor import Coalesce, Reblock


def cut_matters(plan: Node) -> set[int]:
    """Nodes, by ``id``, whose blocks another extent would give the plan another meaning.

    A filter on keys keeps other elements when its input is cut otherwise; so does every step below
    it that hands blocks on as it finds them, down to one that cuts them itself.
    """
    fixed: set[int] = set()
    for node in reversed(list(walk(plan))):  # every parent before its children
        hands_on = id(node) in fixed and not isinstance(node, Reblock | Coalesce)
        if hands_on or _looks_at_keys(node):
            fixed.update(id(child) for child in node.children)
    return fixed


def _looks_at_keys(node: Node) -> bool:
    if isinstance(node, Join):
        return node.kernel in PRODUCTS
    if isinstance(node, Contract):
        return bool(node.tests)
    return isinstance(node, Aggregate | Broadcast | FilterKeys | Project | Rekey)
