"""Joins of two operands: on equal labels, a kernel makes one block of each pair of blocks."""

from __future__ import annotations

from gpudb.errors import SqlError
from gpudb.plan.relational import PRODUCTS, Contract, Join, contracted_axes
from gpudb.plan.reshape import Transpose
from gpudb.plan.tensor import Matmul, Zip
from gpudb.sql.tensors.functions import PRODUCTS as WRITTEN
from gpudb.sql.tensors.scope import Labels, Operand, Scope, inside

COMMUTATIVE = ("add", "multiply", "maximum", "minimum")


def zipped(a: Operand, b: Operand, fn: str) -> Operand:
    """Element by element, along shared labels; the others are repeated as NumPy would.

    The axes are those of the side that has all of them, if one has.
    """
    uses = a.uses | b.uses
    if set(a.labels) < set(b.labels) and fn in COMMUTATIVE:
        a, b = b, a
    left, right = a.node.schema, b.node.schema
    same = a.labels == b.labels and left.shape == right.shape
    if same or (b.labels == a.labels[-1:] and right.shape == left.shape[-1:]):
        return Operand(Zip(a.node, b.node, fn), a.labels, uses)
    labels = a.labels + tuple(label for label in b.labels if label not in a.labels)
    joined = Join(a.node, b.node, _on(a.labels, b.labels), fn)
    if set(labels) == set(b.labels) and set(a.labels) < set(b.labels):
        order = tuple(labels.index(label) for label in b.labels)
        return Operand(Transpose(joined, order), b.labels, uses)
    return Operand(joined, labels, uses)


def multiplied(a: Operand, b: Operand, kernel: str, scope: Scope) -> Operand:
    """A product inside each pair of blocks; its inner key stays, to be summed over.

    Of two axes without a key column, which one block covers, the sum is complete.
    """
    uses = a.uses | b.uses
    left, right = contracted_axes(kernel, a.node.schema.ndim, b.node.schema.ndim)
    inner, theirs = a.labels[left], b.labels[right]
    shared = _on(a.labels, b.labels, named=True)
    if inner < 0 and theirs < 0:
        on = (*shared, (left, right))
        kept = tuple(label for label in a.labels if label != inner)
        joined = {axis for _, axis in on}
        labels = kept + tuple(x for axis, x in enumerate(b.labels) if axis not in joined)
        matrices = a.node.schema.ndim == b.node.schema.ndim == 2 and len(on) == 1
        product = (
            Matmul(a.node, b.node, transpose_right=kernel == PRODUCTS[1])
            if matrices
            else Contract(a.node, b.node, on, (left, right))
        )
        return Operand(product, inside(labels), uses)
    if inner != theirs:
        written = next(name for name, k in WRITTEN.items() if k == kernel).upper()
        one, other = scope.name(inner), scope.name(theirs)
        raise SqlError(
            f"{written} sums over {one} and {other}, which are not joined; add ON {one} = {other}"
        )
    joined = {axis for _, axis in shared}
    labels = a.labels + tuple(x for axis, x in enumerate(b.labels) if axis not in joined)
    return Operand(Join(a.node, b.node, shared, kernel), inside(labels), uses)


def _on(left: Labels, right: Labels, named: bool = False) -> tuple[tuple[int, int], ...]:
    """Axes of equal labels, in the order of the left; ``named``: only those of key columns."""
    return tuple(
        (axis, right.index(label))
        for axis, label in enumerate(left)
        if label in right and (label >= 0 or not named)
    )
