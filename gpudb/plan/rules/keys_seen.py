"""Which steps are below one that looks at block keys: how these are cut, decides what it means."""

from __future__ import annotations

from gpudb.plan.node import Node, walk
from gpudb.plan.relational import Aggregate, FilterKeys, Join, Project, Rekey
from gpudb.plan.reshape import Broadcast

LOOKS_AT_KEYS = (Aggregate, Broadcast, FilterKeys, Join, Project, Rekey)
"""Steps that give another result, or none, when their input is cut into other blocks."""


def below_keys(plan: Node) -> set[int]:
    """``id`` of every node that must keep its blocks."""
    below: set[int] = set()
    stack = [c for node in walk(plan) if isinstance(node, LOOKS_AT_KEYS) for c in node.children]
    while stack:
        node = stack.pop()
        if id(node) not in below:
            below.add(id(node))
            stack.extend(node.children)
    return below
