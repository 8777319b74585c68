"""Steps that combine elements along an axis, whether or not a block boundary cuts it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from gpudb.errors import SchemaError
from gpudb.plan.node import Node
from gpudb.plan.tensor import check_floating
from gpudb.types import TensorSchema, computed_dtype

REDUCTIONS = ("sum", "mean", "max", "min", "count", "argmax", "variance", "norm")
"""What can be made of the elements along an axis. ``variance`` divides by their number, ``norm`` is
the Euclidean one, ``argmax`` the position of the first largest."""

SEGMENT_FUNCTIONS = ("sum", "mean", "max", "min", "count")


@dataclass(frozen=True, eq=False, repr=False)
class Reduce(Node):
    """Group by every axis but one; combine the elements along that. The axis vanishes.

    A vector becomes a tensor of the shape ``(1,)``.
    """

    child: Node
    axis: int
    fn: str

    def __post_init__(self) -> None:
        s = self.child.schema
        if self.fn not in REDUCTIONS:
            raise SchemaError(f"Reduce: no function {self.fn!r}; there are {', '.join(REDUCTIONS)}")
        if not 0 <= self.axis < s.ndim:
            raise SchemaError(f"Reduce: {s.name} ({s}) has no axis {self.axis}")
        if s.shape[self.axis] == 0 and self.fn not in ("sum", "count", "norm"):
            raise SchemaError(
                f"Reduce: axis {self.axis} of {s.name} ({s}) is empty and has no {self.fn}"
            )
        check_floating(f"Reduce({self.fn})", s)

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.child.schema
        shape = tuple(e for axis, e in enumerate(s.shape) if axis != self.axis) or (1,)
        block = tuple(b for axis, b in enumerate(s.block) if axis != self.axis) or (1,)
        exact = self.fn in ("count", "argmax")
        return TensorSchema(self.fn, shape, block, "int64" if exact else computed_dtype(s.dtype))


@dataclass(frozen=True, eq=False, repr=False)
class SegmentAggregate(Node):
    """Group rows by a column of segment numbers: ``(n, …)``, ``(n,)`` -> ``(count, …)``.

    The numbers lie between 0 and ``count`` in any order. A segment without rows gives zeros.
    """

    child: Node
    segments: Node
    count: int
    fn: str

    def __post_init__(self) -> None:
        s, numbers = self.child.schema, self.segments.schema
        if self.fn not in SEGMENT_FUNCTIONS:
            raise SchemaError(
                f"SegmentAggregate: no function {self.fn!r}; there are "
                f"{', '.join(SEGMENT_FUNCTIONS)}"
            )
        if numbers.ndim != 1 or "int" not in numbers.dtype or numbers.shape[0] != s.shape[0]:
            raise SchemaError(
                f"SegmentAggregate: needs one whole number per row of {s.name} ({s}), found "
                f"{numbers.name} ({numbers})"
            )
        if self.count < 0:
            raise SchemaError(f"SegmentAggregate: {self.count} segments; expected 0 or more")
        check_floating(f"SegmentAggregate({self.fn})", s)

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.child.schema
        rows = max(1, min(s.block_numbers[0], self.count))
        dtype = "int64" if self.fn == "count" else computed_dtype(s.dtype)
        return TensorSchema("segments", (self.count, *s.shape[1:]), (rows, *s.block[1:]), dtype)


@dataclass(frozen=True, eq=False, repr=False)
class RowSoftmax(Node):
    """Group by every axis but the last: max, sum of exp; join back and divide."""

    child: Node

    def __post_init__(self) -> None:
        check_floating("RowSoftmax", self.child.schema)

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.child.schema
        return TensorSchema("row_softmax", s.shape, s.block, computed_dtype(s.dtype))
