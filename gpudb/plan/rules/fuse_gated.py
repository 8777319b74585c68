"""A function of one matrix times another is one step: the middle of a gated feed-forward net."""

from __future__ import annotations

from gpudb.plan.fused import Gated
from gpudb.plan.node import Node, rewrite, uses
from gpudb.plan.tensor import Map, Zip


def fuse_gated(plan: Node) -> Node:
    """Turn ``fn(x) * y`` into one step where nobody else reads ``fn(x)``.

    Over matrices that are one block each: what lies in many blocks may lack some.
    """
    count = uses(plan)

    def fuse(original: Node, node: Node) -> Node:
        match original, node:
            case Zip(left=inner), Zip(left=Map() as gate, right=other, fn="multiply") if count[
                id(inner)
            ] == 1 and _same_matrix(gate, other):
                return Gated(gate.child, other, gate.fn)
            case Zip(right=inner), Zip(left=other, right=Map() as gate, fn="multiply") if count[
                id(inner)
            ] == 1 and _same_matrix(gate, other):
                return Gated(gate.child, other, gate.fn)
        return node

    return rewrite(plan, fuse)


def _same_matrix(x: Node, y: Node) -> bool:
    """Whether both are matrices of one block, alike in shape and dtype."""
    a, b = x.schema, y.schema
    alike = (a.shape, a.dtype) == (b.shape, b.dtype)
    return alike and a.ndim == 2 and a.is_one_block and b.is_one_block
