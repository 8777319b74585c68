"""Operators for the nodes of :mod:`gpudb.plan.reduce`."""

from __future__ import annotations

from gpudb.exec.operator import PhysicalOp
from gpudb.plan.node import Node


def lower_reduce(node: Node, children: tuple[PhysicalOp, ...]) -> PhysicalOp | None:
    """The operator for a node over its lowered children; None for nodes of other modules."""
    return None
