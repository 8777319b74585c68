"""Steps that say the same over the same inputs are computed once."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import fields

from gpudb.plan.node import Node, rewrite


def share_repeated(plan: Node) -> Node:
    """Replace equal subplans by one (common subexpression elimination)."""
    kept: dict[Hashable, Node] = {}

    def share(_: Node, node: Node) -> Node:
        # Children are shared already, so their identity stands for their structure.
        return kept.setdefault(_signature(node), node)

    return rewrite(plan, share)


def _signature(node: Node) -> Hashable:
    return (type(node), *(_part(getattr(node, f.name)) for f in fields(node)))


def _part(value: object) -> Hashable:
    if isinstance(value, Node):
        return ("node", id(value))
    if isinstance(value, tuple):
        return tuple(_part(v) for v in value)
    return (type(value), value)
