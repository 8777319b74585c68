"""Operators for the nodes of :mod:`gpudb.plan.reduce`."""

from __future__ import annotations

from gpudb.exec.operator import PhysicalOp
from gpudb.exec.operators.reduce_axis import CountAxis, ReduceAxis
from gpudb.exec.operators.reduce_cut_axis import ReduceCutAxis
from gpudb.exec.operators.row_softmax import RowSoftmaxBlocks, RowSoftmaxCut
from gpudb.exec.operators.segment_aggregate import SegmentRows
from gpudb.lower.computed import computed
from gpudb.lower.two_forms import is_whole, rows_are_whole
from gpudb.plan import reduce
from gpudb.plan.node import Node


def lower_reduce(node: Node, children: tuple[PhysicalOp, ...]) -> PhysicalOp | None:
    """The operator for a node over its lowered children; None for nodes of other modules."""
    out = computed(node)
    match node:
        case reduce.Reduce(fn="count"):
            return CountAxis(children, out, node.axis)
        case reduce.Reduce():
            form = ReduceAxis if is_whole(node.child.schema, node.axis) else ReduceCutAxis
            return form(children, out, node.axis, node.fn)
        case reduce.SegmentAggregate():
            return SegmentRows(children, out, node.count, node.fn)
        case reduce.RowSoftmax():
            softmax = RowSoftmaxBlocks if rows_are_whole(node.child.schema) else RowSoftmaxCut
            return softmax(children, out)
    return None
