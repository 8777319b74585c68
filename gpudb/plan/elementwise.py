"""Steps on each element alone, beside the functions of :mod:`gpudb.plan.tensor`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from gpudb.errors import SchemaError
from gpudb.keys import COMPARE
from gpudb.plan.node import Node
from gpudb.plan.tensor import ZIP_FUNCTIONS, check_floating
from gpudb.types import TensorSchema, computed_dtype

CAST_TO = ("float32", "float64", "int32", "int64")
"""Dtypes that elements can be computed as."""


@dataclass(frozen=True, eq=False, repr=False)
class FilterElements(Node):
    """Keep the elements that compare with a number as asked; the others become zero."""

    child: Node
    compare: str
    value: float

    def __post_init__(self) -> None:
        if self.compare not in COMPARE:
            raise SchemaError(
                f"FilterElements: no comparison {self.compare!r}; there are {', '.join(COMPARE)}"
            )
        check_floating("FilterElements", self.child.schema)

    @cached_property
    def schema(self) -> TensorSchema:
        return self.child.schema.renamed("filter")


@dataclass(frozen=True, eq=False, repr=False)
class ZipScalar(Node):
    """Combine every element with one number: ``fn(x, value)``, or ``fn(value, x)`` if swapped."""

    child: Node
    fn: str
    value: float
    swapped: bool = False

    def __post_init__(self) -> None:
        if self.fn not in ZIP_FUNCTIONS:
            raise SchemaError(
                f"ZipScalar: no function {self.fn!r}; there are {', '.join(ZIP_FUNCTIONS)}"
            )
        check_floating(f"ZipScalar({self.fn})", self.child.schema)

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.child.schema
        return TensorSchema(self.fn, s.shape, s.block, computed_dtype(s.dtype))


@dataclass(frozen=True, eq=False, repr=False)
class Cast(Node):
    """The same numbers in another dtype, rounded or cut off as NumPy's ``astype`` does."""

    child: Node
    dtype: str

    def __post_init__(self) -> None:
        if self.dtype not in CAST_TO:
            raise SchemaError(f"Cast: to {self.dtype!r}; expected one of {', '.join(CAST_TO)}")

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.child.schema
        return TensorSchema(s.name, s.shape, s.block, self.dtype)
