"""Nodes of the tensor-relational algebra: what any tensor can be put through.

A tensor is a relation of blocks with one integer key per axis. The sentence under each name says
which relational operation it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

from gpudb.errors import SchemaError
from gpudb.keys import KeyTests, check_tests, describe_tests
from gpudb.plan.node import Node
from gpudb.types import Extent, TensorSchema, computed_dtype, describe_numbers

MAP_FUNCTIONS = (
    "abs",
    "exp",
    "gelu",
    "gelu_tanh",
    "negative",
    "quick_gelu",
    "relu",
    "sigmoid",
    "silu",
    "sqrt",
    "square",
    "tanh",
)
"""Functions of one element. ``gelu`` is the exact one (erf), two more are approximations of it."""

ZIP_FUNCTIONS = ("add", "divide", "maximum", "minimum", "multiply", "subtract")
"""Functions of two elements."""


@dataclass(frozen=True, eq=False, repr=False)
class Scan(Node):
    """Read the blocks of a stored tensor whose keys pass all tests; the others count as zero.

    With ``scales``, a stored column, each row of an int8 matrix is joined with its scale and
    multiplied by it.
    """

    tensor: TensorSchema
    tests: KeyTests = ()
    scales: TensorSchema | None = None

    def __post_init__(self) -> None:
        check_tests(self.tests, self.tensor.ndim)
        if self.scales is not None:
            _check_scales(self.tensor, self.scales)

    @cached_property
    def schema(self) -> TensorSchema:
        return self.tensor if self.scales is None else replace(self.tensor, dtype="float32")

    def label(self) -> str:
        where = f" where {describe_tests(self.tests)}" if self.tests else ""
        scales = f" * {self.scales.name}" if self.scales is not None else ""
        return f"Scan({self.tensor.name}: {self.tensor}{scales}{where})"


@dataclass(frozen=True, eq=False, repr=False)
class Input(Node):
    """Read a relation that is handed in when the plan runs."""

    tensor: TensorSchema

    @cached_property
    def schema(self) -> TensorSchema:
        return self.tensor

    def label(self) -> str:
        return f"Input({self.tensor.name}: {self.tensor})"


@dataclass(frozen=True, eq=False, repr=False)
class Constant(Node):
    """Read numbers that the plan itself holds: what a model computes from no weight and no input.

    Buckets of distances, or a window: whole plans are read and written as text, so keep it short.
    """

    tensor: TensorSchema
    values: tuple[float, ...]
    """In row-major order."""

    def __post_init__(self) -> None:
        s = self.tensor
        if not s.is_one_block or len(self.values) != prod(s.numbers):
            raise SchemaError(
                f"Constant: {s.name} is {s}, given {len(self.values)} numbers; needs one block, "
                "and a number for each of its elements"
            )

    @cached_property
    def schema(self) -> TensorSchema:
        return self.tensor

    def label(self) -> str:
        return f"Constant({self.tensor.name}: {self.tensor}, {describe_numbers(self.values)})"


@dataclass(frozen=True, eq=False, repr=False)
class Gather(Node):
    """Join row numbers with the rows of a table: ``(r, …)``, ``(n,)`` -> ``(n, …)``."""

    table: Node
    rows: Node

    def __post_init__(self) -> None:
        table, rows = self.table.schema, self.rows.schema
        if rows.ndim != 1 or "int" not in rows.dtype:
            raise SchemaError(
                f"Gather: needs a table and a column of row numbers, found {table.name} ({table}) "
                f"and {rows.name} ({rows})"
            )

    @cached_property
    def schema(self) -> TensorSchema:
        table, rows = self.table.schema, self.rows.schema
        shape = (rows.shape[0], *table.shape[1:])
        dtype = table.dtype if "int" in table.dtype else computed_dtype(table.dtype)
        return TensorSchema("gather", shape, (rows.block[0], *table.block[1:]), dtype)


@dataclass(frozen=True, eq=False, repr=False)
class Matmul(Node):
    """Join on the inner key, multiply blocks, sum by the outer keys.

    ``(i, k) @ (k, j)``, or ``(i, k) @ (j, k)`` transposed when ``transpose_right``.
    """

    left: Node
    right: Node
    transpose_right: bool = False

    def __post_init__(self) -> None:
        a, b = self.left.schema, self.right.schema
        if a.ndim != 2 or b.ndim != 2:
            raise SchemaError(f"Matmul: needs two matrices, found {a.name} ({a}), {b.name} ({b})")
        check_floating("Matmul", a, b)
        if a.shape[1] != b.shape[self.inner]:
            raise SchemaError(
                f"Matmul: {a.name} is {a} and {b.name} is {b}; the inner extents {a.shape[1]} and "
                f"{b.shape[self.inner]} must be equal"
            )

    @property
    def inner(self) -> int:
        """Axis of ``right`` that is summed over."""
        return 1 if self.transpose_right else 0

    @cached_property
    def schema(self) -> TensorSchema:
        a, b = self.left.schema, self.right.schema
        outer = 1 - self.inner
        shape = (a.shape[0], b.shape[outer])
        return TensorSchema(
            "matmul", shape, (a.block[0], b.block[outer]), computed_dtype(a.dtype, b.dtype)
        )


@dataclass(frozen=True, eq=False, repr=False)
class Map(Node):
    """Apply a function to every element."""

    child: Node
    fn: str

    def __post_init__(self) -> None:
        if self.fn not in MAP_FUNCTIONS:
            raise SchemaError(f"Map: no function {self.fn!r}; there are {', '.join(MAP_FUNCTIONS)}")
        check_floating(f"Map({self.fn})", self.child.schema)

    @cached_property
    def schema(self) -> TensorSchema:
        return self.child.schema.renamed(self.fn)


@dataclass(frozen=True, eq=False, repr=False)
class Zip(Node):
    """Join two relations on all keys and combine their elements.

    ``right`` may be a vector over the last axis of ``left``: it is joined on the column key alone.
    """

    left: Node
    right: Node
    fn: str

    def __post_init__(self) -> None:
        a, b = self.left.schema, self.right.schema
        if self.fn not in ZIP_FUNCTIONS:
            raise SchemaError(f"Zip: no function {self.fn!r}; there are {', '.join(ZIP_FUNCTIONS)}")
        check_floating(f"Zip({self.fn})", a, b)
        if b.shape != a.shape and b.shape != a.shape[-1:]:
            raise SchemaError(
                f"Zip({self.fn}): {a.name} is {a} and {b.name} is {b}; the right side must have "
                "the same shape, or be a vector over the last axis of the left"
            )

    @cached_property
    def schema(self) -> TensorSchema:
        a = self.left.schema
        return TensorSchema(
            self.fn, a.shape, a.block, computed_dtype(a.dtype, self.right.schema.dtype)
        )


@dataclass(frozen=True, eq=False, repr=False)
class LayerNorm(Node):
    """Group by row: mean and variance; join back, scale and shift by column.

    Ba, Kiros and Hinton, "Layer Normalization", 2016.
    """

    child: Node
    gamma: Node
    beta: Node
    eps: float

    def __post_init__(self) -> None:
        s = self.child.schema
        for vector in (self.gamma.schema, self.beta.schema):
            check_floating("LayerNorm", s, vector)
            if vector.shape != s.shape[-1:]:
                raise SchemaError(
                    f"LayerNorm: {s.name} is {s} and {vector.name} is {vector}; expected a vector "
                    "over the last axis"
                )

    @cached_property
    def schema(self) -> TensorSchema:
        return self.child.schema.renamed("layer_norm")


@dataclass(frozen=True, eq=False, repr=False)
class Dropout(Node):
    """Drop elements while training. Serving never trains: a rule removes it."""

    child: Node
    rate: float

    @cached_property
    def schema(self) -> TensorSchema:
        return self.child.schema


@dataclass(frozen=True, eq=False, repr=False)
class ConcatRows(Node):
    """Union of relations, the first key of each shifted past the ones before it."""

    parts: tuple[Node, ...]

    def __post_init__(self) -> None:
        if len({(p.schema.shape[1:], p.schema.dtype) for p in self.parts}) != 1:
            found = ", ".join(f"{p.schema.name} ({p.schema})" for p in self.parts)
            raise SchemaError(f"ConcatRows: parts must agree in all but the first axis: {found}")
        if not all(p.schema.is_one_block for p in self.parts):
            found = ", ".join(f"{p.schema.name} ({p.schema})" for p in self.parts)
            raise SchemaError(f"ConcatRows: coalesce the parts first: {found}")

    @cached_property
    def schema(self) -> TensorSchema:
        first = self.parts[0].schema
        rows = sum(_number(p.schema.shape[0]) for p in self.parts)
        shape = (rows, *first.shape[1:])
        return TensorSchema.one_block("concat", shape, first.dtype)


@dataclass(frozen=True, eq=False, repr=False)
class Columns(Node):
    """Filter on the column: elements ``start <= column < stop`` of every row."""

    child: Node
    start: int
    stop: int

    def __post_init__(self) -> None:
        width = self.child.schema.shape[-1]
        if not 0 <= self.start < self.stop <= _number(width):
            raise SchemaError(
                f"Columns: {self.start}:{self.stop} is not inside the {width} columns of "
                f"{self.child.schema.name}"
            )

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.child.schema
        width = self.stop - self.start
        return TensorSchema("columns", (*s.shape[:-1], width), (*s.block[:-1], width), s.dtype)


@dataclass(frozen=True, eq=False, repr=False)
class Reblock(Node):
    """The same tensor cut into blocks of another extent."""

    child: Node
    block: tuple[Extent, ...]

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.child.schema
        return TensorSchema(s.name, s.shape, self.block, s.dtype)


@dataclass(frozen=True, eq=False, repr=False)
class Coalesce(Node):
    """Read whole row panels, which lie side by side, as one block. Costs no copy."""

    child: Node

    def __post_init__(self) -> None:
        s = self.child.schema
        if not are_row_panels(s):
            raise SchemaError(
                f"Coalesce: {s.name} is {s}; only panels that span all axes but the first "
                "lie side by side. Reblock it."
            )

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.child.schema
        return TensorSchema.one_block(s.name, s.shape, s.dtype)


def are_row_panels(schema: TensorSchema) -> bool:
    """True for blocks that span every axis but the first: they lie side by side."""
    return schema.shape[1:] == schema.block[1:]


def check_floating(step: str, *schemas: TensorSchema) -> None:
    """Raise unless the elements of all are floating-point numbers."""
    for s in schemas:
        if "float" not in s.dtype:
            raise SchemaError(
                f"{step}: {s.name} is {s}; gpudb computes with floating-point numbers: "
                "cast it, or store it as float32 or float64"
            )


def _check_scales(tensor: TensorSchema, scales: TensorSchema) -> None:
    """Raise unless there is a scale for each row of an int8 matrix, cut as its rows are."""
    expected = TensorSchema(scales.name, (*tensor.shape[:1], 1), (*tensor.block[:1], 1))
    if tensor.ndim != 2 or tensor.dtype != "int8" or scales != expected:
        raise SchemaError(
            f"Scan: {tensor.name} is {tensor}, its scales {scales.name} are {scales}; expected an "
            "int8 matrix, and a float32 column cut as its rows are"
        )


def _number(extent: Any) -> int:
    if not isinstance(extent, int):
        raise SchemaError(f"the extent {extent!r} must be a number here")
    return extent
