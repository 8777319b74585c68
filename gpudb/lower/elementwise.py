"""Operators for the nodes of :mod:`gpudb.plan.elementwise`."""

from __future__ import annotations

from gpudb.exec.operator import PhysicalOp
from gpudb.plan.node import Node


def lower_elementwise(node: Node, children: tuple[PhysicalOp, ...]) -> PhysicalOp | None:
    """The operator for a node over its lowered children; None for nodes of other modules."""
    return None
