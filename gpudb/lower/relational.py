"""Operators for the nodes of :mod:`gpudb.plan.relational`."""

from __future__ import annotations

from gpudb.exec.operator import PhysicalOp
from gpudb.exec.operators.aggregate_count import AggregateCount
from gpudb.exec.operators.aggregate_extreme import AggregateExtreme
from gpudb.exec.operators.aggregate_sum import AggregateSum
from gpudb.exec.operators.choose_blocks import FilterBlocks, ProjectBlocks, RekeyBlocks
from gpudb.exec.operators.contract_blocks import ContractBlocks
from gpudb.exec.operators.join_products import JoinProducts
from gpudb.exec.operators.zip_blocks import ZipBlocks
from gpudb.lower.computed import computed
from gpudb.plan import relational
from gpudb.plan.node import Node


def lower_relational(node: Node, children: tuple[PhysicalOp, ...]) -> PhysicalOp | None:
    """The operator for a node over its lowered children; None for nodes of other modules."""
    out = computed(node)
    match node:
        case relational.FilterKeys():
            return FilterBlocks(children, out, node.tests)
        case relational.Join(kernel=kernel) if kernel in relational.PRODUCTS:
            return JoinProducts(children, out, node.on, node.contracted, kernel, node.tests)
        case relational.Join():
            return ZipBlocks(children, out, node.kernel, node.on)
        case relational.Contract():
            return ContractBlocks(children, out, node.on, node.contracted, node.tests)
        case relational.Aggregate(fn="sum" | "mean"):
            return AggregateSum(children, out, node.dropped, node.fn)
        case relational.Aggregate(fn="count"):
            return AggregateCount(children, out, node.dropped)
        case relational.Aggregate():
            return AggregateExtreme(children, out, node.dropped, node.fn)
        case relational.Project():
            return ProjectBlocks(children, out, node.dropped)
        case relational.Rekey():
            return RekeyBlocks(children, out, node.keys)
    return None
