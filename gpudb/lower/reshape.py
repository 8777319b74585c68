"""Operators for the nodes of :mod:`gpudb.plan.reshape`."""

from __future__ import annotations

from gpudb.exec.operator import PhysicalOp
from gpudb.exec.operators.broadcast_blocks import BroadcastBlocks
from gpudb.exec.operators.concat_blocks import ConcatBlocks, ConcatLines, offsets_along
from gpudb.exec.operators.slice_blocks import ShiftLines, SliceBlocks
from gpudb.exec.operators.split_merge_axes import MergeAxesView, SplitAxisView
from gpudb.exec.operators.transpose_blocks import TransposeBlocks
from gpudb.lower.computed import computed
from gpudb.plan import reshape
from gpudb.plan.node import Node
from gpudb.types import TensorSchema


def lower_reshape(node: Node, children: tuple[PhysicalOp, ...]) -> PhysicalOp | None:
    """The operator for a node over its lowered children; None for nodes of other modules."""
    out = computed(node)
    match node:
        case reshape.Transpose():
            return TransposeBlocks(children, out, node.order)
        case reshape.Broadcast():
            return BroadcastBlocks(children, out, node.repeated())
        case reshape.Concat():
            return _concat(children, out, node.axis)
        case reshape.Slice():
            return _slice(node, children, out)
        case reshape.SplitAxis():
            return SplitAxisView(children, out, node.axis)
        case reshape.MergeAxes():
            return MergeAxesView(children, out, node.axis)
    return None


def _concat(children: tuple[PhysicalOp, ...], out: TensorSchema, axis: int) -> PhysicalOp:
    """Whole blocks move where every part begins with one; else elements do."""
    parts = [child.out for child in children]
    step = out.block_numbers[axis]
    aligned = all(
        offset % step == 0
        for part, offset in zip(parts, offsets_along(parts, axis), strict=True)
        if part.numbers[axis]
    )
    return (ConcatBlocks if aligned else ConcatLines)(children, out, axis)


def _slice(node: reshape.Slice, children: tuple[PhysicalOp, ...], out: TensorSchema) -> PhysicalOp:
    """Choose blocks first, so that what is outside is not touched; then drop what is too much."""
    block = out.block_numbers
    first = tuple(start // b for start, b in zip(node.starts, block, strict=True))
    too_much = [start % b for start, b in zip(node.starts, block, strict=True)]
    shape = [e + more for e, more in zip(out.numbers, too_much, strict=True)]
    op: PhysicalOp = SliceBlocks(
        children, TensorSchema(out.name, tuple(shape), block, out.dtype), first
    )
    for axis, more in enumerate(too_much):
        if more:
            shape[axis] -= more
            cut = TensorSchema(out.name, tuple(shape), block, out.dtype)
            op = ShiftLines((op,), cut, axis, more)
    return op
