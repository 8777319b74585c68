"""Products of two tensors whose axes have labels: what ``@`` and ``einsum`` are made of.

Axes of the same label are joined. A label that is not kept is summed over; one pair of axes can be
contracted, so several of them are first merged into one.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from math import prod

from gpudb.errors import SchemaError
from gpudb.plan.node import Node
from gpudb.plan.reduce import Reduce
from gpudb.plan.relational import Contract, Join
from gpudb.plan.reshape import MergeAxes
from gpudb.plan.tensor import Matmul, Reblock, Zip
from gpudb.relation.axes import common_shape, drop_axis, ordered, spread


@dataclass(frozen=True, slots=True)
class Labelled:
    """A plan and a label for each of its axes; none for a scalar, whose shape is ``(1,)``."""

    node: Node
    labels: tuple[str, ...]

    def ordered(self, labels: tuple[str, ...]) -> Labelled:
        """The axes in this order."""
        order = tuple(self.labels.index(label) for label in labels)
        return Labelled(ordered(self.node, order), labels) if labels else self

    def summed(self, labels: Set[str]) -> Labelled:
        """Summed over these axes, the last first."""
        result = self
        for axis in reversed(range(len(self.labels))):
            if self.labels[axis] in labels:
                kept = result.labels[:axis] + result.labels[axis + 1 :]
                result = Labelled(Reduce(result.node, axis, "sum"), kept)
        return result

    def merged(self, labels: tuple[str, ...]) -> Labelled:
        """These axes, in this order, as one that has the first label."""
        first = min(self.labels.index(label) for label in labels)
        others = [label for label in self.labels if label not in labels]
        at = sum(label in others for label in self.labels[:first])
        result = self.ordered((*others[:at], *labels, *others[at:]))
        node = _in_rows(result.node, at, len(labels))
        for _ in labels[1:]:
            node = MergeAxes(node, at)
        return Labelled(node, (*others[:at], labels[0], *others[at:]))


def product(a: Labelled, b: Labelled, keep: Set[str]) -> Labelled:
    """Multiply where labels agree; sum over the shared ones that are not kept.

    The result has the axes of ``a``, then those of ``b`` that ``a`` lacks.
    """
    if not a.labels:
        return Labelled(zipped(b.node, a.node, "multiply"), b.labels)
    if not b.labels:
        return Labelled(zipped(a.node, b.node, "multiply"), a.labels)
    summed = tuple(label for label in a.labels if label in b.labels and label not in keep)
    if not summed or not {*a.labels, *b.labels} - {*summed}:
        return _pairs(a, b).summed({*summed})
    if len(summed) > 1:
        a, b = a.merged(summed), b.merged(summed)
    return _contracted(a, b, summed[0])


def matmul(a: Node, b: Node) -> Node:
    """NumPy's ``matmul`` of any ranks; of two vectors, a tensor of the shape ``(1,)``."""
    left, right = a.schema, b.schema
    inner = max(0, right.ndim - 2)
    if left.ndim == right.ndim == 2:
        return Matmul(a, b)
    if left.shape[-1] != right.shape[inner]:
        raise SchemaError(
            f"matmul: {left.name} is {left} and {right.name} is {right}; the inner extents "
            f"{left.shape[-1]} and {right.shape[inner]} must be equal"
        )
    batch = common_shape(left, right, "matmul", inner=2)
    names = tuple(f"batch {axis}" for axis in range(len(batch)))
    rows, columns = ("row",) * (left.ndim > 1), ("column",) * (right.ndim > 1)
    wanted = (*names, *rows, *columns)
    mine = _batched(a, batch, (*rows, "inner"))
    theirs = _batched(b, batch, ("inner", *columns))
    return product(mine, theirs, {*wanted}).ordered(wanted).node


def zipped(a: Node, b: Node, fn: str) -> Node:
    """Element by element, both broadcast as in NumPy.

    A vector over the last axis of ``a`` is joined as it is: nothing is repeated for it.
    """
    left, right = a.schema, b.schema
    if right.shape in (left.shape, left.shape[-1:]):
        return Zip(a, b, fn)
    shape = common_shape(left, right, fn)
    return Zip(spread(a, shape, right), spread(b, shape, left), fn)


def _pairs(a: Labelled, b: Labelled) -> Labelled:
    """Every element times those with the same position along the shared axes."""
    if a.labels == b.labels:
        return Labelled(Zip(a.node, b.node, "multiply"), a.labels)
    new = tuple(label for label in b.labels if label not in a.labels)
    return Labelled(Join(a.node, b.node, _on(a, b), "multiply"), a.labels + new)


def _contracted(a: Labelled, b: Labelled, label: str) -> Labelled:
    """Summed over one shared axis; something is left."""
    kept = tuple(x for x in a.labels if x != label)
    new = tuple(x for x in b.labels if x not in a.labels)
    left, right = pair = a.labels.index(label), b.labels.index(label)
    if len(a.labels) == len(b.labels) == 2 and left == 1 and len(_on(a, b)) == 1:
        return Labelled(Matmul(a.node, b.node, transpose_right=right == 1), kept + new)
    return Labelled(Contract(a.node, b.node, _on(a, b), pair), kept + new)


def _on(a: Labelled, b: Labelled) -> tuple[tuple[int, int], ...]:
    return tuple(
        (axis, b.labels.index(label)) for axis, label in enumerate(a.labels) if label in b.labels
    )


def _in_rows(node: Node, axis: int, count: int) -> Node:
    """Cut so that ``count`` axes from ``axis`` on merge without being cut again.

    All but the first are whole; along the first, blocks become shorter by what they gain there.
    """
    s = node.schema
    mine = s.block_numbers[axis : axis + count]
    inner = tuple(max(1, extent) for extent in s.numbers[axis + 1 : axis + count])
    if mine[1:] == inner:
        return node
    first = max(1, prod(mine) // prod(inner))
    return Reblock(node, (*s.block[:axis], min(mine[0], first), *inner, *s.block[axis + count :]))


def _batched(node: Node, batch: tuple[int, ...], matrix: tuple[str, ...]) -> Labelled:
    """Label an operand of ``matmul``; a batch axis that is repeated is dropped instead."""
    axes = node.schema.ndim - len(matrix)
    labels = list(matrix)
    for back in range(1, axes + 1):
        place, axis = len(batch) - back, axes - back
        if node.schema.shape[axis] == batch[place]:
            labels.insert(0, f"batch {place}")
        else:
            node = drop_axis(node, axis)
    return Labelled(node, tuple(labels))
