"""Logical plan -> physical plan: for each node, the operator that does it."""

from __future__ import annotations

from collections.abc import Callable

from gpudb.errors import UnsupportedError
from gpudb.exec.operator import PhysicalOp
from gpudb.lower.elementwise import lower_elementwise
from gpudb.lower.encoder import lower_encoder
from gpudb.lower.reduce import lower_reduce
from gpudb.lower.relational import lower_relational
from gpudb.lower.reshape import lower_reshape
from gpudb.lower.tensor import lower_tensor
from gpudb.plan.node import Node, walk
from gpudb.plan.rules import NEEDED, optimize

FAMILIES: tuple[Callable[[Node, tuple[PhysicalOp, ...]], PhysicalOp | None], ...] = (
    lower_tensor,
    lower_elementwise,
    lower_relational,
    lower_reshape,
    lower_reduce,
    lower_encoder,
)
"""One function per module of nodes; each knows its own."""


def lower(plan: Node) -> PhysicalOp:
    """Choose a physical operator for every node; shared nodes stay shared.

    Raises
    ------
    UnsupportedError
        A node has no physical operator.
    """
    done: dict[int, PhysicalOp] = {}
    for node in walk(optimize(plan, NEEDED)):
        done[id(node)] = _physical(node, tuple(done[id(child)] for child in node.children))
    return next(reversed(done.values()))


def _physical(node: Node, children: tuple[PhysicalOp, ...]) -> PhysicalOp:
    for lower_family in FAMILIES:
        op = lower_family(node, children)
        if op is not None:
            return op
    raise UnsupportedError(
        f"{type(node).__name__} has no physical operator; report the plan that contains it"
    )
