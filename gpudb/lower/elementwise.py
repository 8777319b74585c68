"""Operators for the nodes of :mod:`gpudb.plan.elementwise`."""

from __future__ import annotations

from gpudb.exec.operator import PhysicalOp
from gpudb.exec.operators.cast_blocks import CastBlocks
from gpudb.exec.operators.filter_elements import FilterElementsBlocks
from gpudb.exec.operators.zip_scalar import ZipScalarBlocks
from gpudb.lower.computed import computed
from gpudb.plan import elementwise
from gpudb.plan.node import Node


def lower_elementwise(node: Node, children: tuple[PhysicalOp, ...]) -> PhysicalOp | None:
    """The operator for a node over its lowered children; None for nodes of other modules."""
    out = computed(node)
    match node:
        case elementwise.FilterElements():
            return FilterElementsBlocks(children, out, node.compare, node.value)
        case elementwise.ZipScalar():
            return ZipScalarBlocks(children, out, node.fn, node.value, node.swapped)
        case elementwise.Cast():
            return CastBlocks(children, out)
    return None
