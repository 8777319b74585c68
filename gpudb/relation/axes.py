"""Plans that put axes where another step wants them."""

from __future__ import annotations

from gpudb.errors import SchemaError
from gpudb.plan.node import Node
from gpudb.plan.relational import Project
from gpudb.plan.reshape import Broadcast, Transpose
from gpudb.plan.tensor import Reblock
from gpudb.types import TensorSchema


def drop_axis(node: Node, axis: int) -> Node:
    """Without an axis of extent 1; the last axis of all stays."""
    s = node.schema
    if s.block[axis] != 1:  # in blocks of 1 the axis is a key column, which a projection drops
        node = Reblock(node, (*s.block[:axis], 1, *s.block[axis + 1 :]))
    return Project(node, ((axis, 0),))


def ordered(node: Node, order: tuple[int, ...]) -> Node:
    """The axes in another order; the node itself when it is the order they have."""
    return node if order == tuple(range(node.schema.ndim)) else Transpose(node, order)


def common_shape(a: TensorSchema, b: TensorSchema, step: str, inner: int = 0) -> tuple[int, ...]:
    """The shape that both broadcast to, in NumPy's way; ``inner`` axes at the end are left out."""
    mine, theirs = (s.numbers[: max(0, s.ndim - inner)] for s in (a, b))
    rank = max(len(mine), len(theirs))
    shape = []
    for left, right in zip(_padded(mine, rank), _padded(theirs, rank), strict=True):
        if left != right and 1 not in (left, right):
            raise SchemaError(
                f"{step}: {a.name} is {a} and {b.name} is {b}; {mine} and {theirs} do not "
                "broadcast: axes, aligned at the last, must be equally long or of extent 1"
            )
        shape.append(right if left == 1 else left)
    return tuple(shape)


def spread(node: Node, shape: tuple[int, ...], like: TensorSchema) -> Node:
    """Broadcast to ``shape``, cut along the repeated axes as ``like`` is, which has these axes."""
    s = node.schema
    new, theirs = len(shape) - s.ndim, len(shape) - like.ndim
    if (s.shape, new) == (shape, 0):
        return node
    block = tuple(
        like.block_numbers[axis - theirs]
        if axis < new or s.shape[axis - new] != extent
        else s.block_numbers[axis - new]
        for axis, extent in enumerate(shape)
    )
    return Broadcast(node, shape, block)


def _padded(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    return (1,) * (rank - len(shape)) + shape
