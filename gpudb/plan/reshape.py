"""Steps that move elements and compute nothing: other axes, other extents, the same numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd

from gpudb.errors import SchemaError
from gpudb.plan.node import Node
from gpudb.types import Extent, TensorSchema


@dataclass(frozen=True, eq=False, repr=False)
class Transpose(Node):
    """Axis ``order[d]`` of the child becomes axis ``d``: keys and the inside of blocks alike."""

    child: Node
    order: tuple[int, ...]

    def __post_init__(self) -> None:
        s = self.child.schema
        if sorted(self.order) != list(range(s.ndim)):
            raise SchemaError(
                f"Transpose: order {self.order} is no permutation of the axes of {s.name} ({s})"
            )

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.child.schema
        shape = tuple(s.shape[axis] for axis in self.order)
        block = tuple(s.block[axis] for axis in self.order)
        return TensorSchema("transpose", shape, block, s.dtype)


@dataclass(frozen=True, eq=False, repr=False)
class Broadcast(Node):
    """Repeat along new axes in front, and along axes of extent 1, as NumPy broadcasts.

    ``block`` says how the result is cut; along an axis that is not repeated it must be the
    child's.
    """

    child: Node
    shape: tuple[int, ...]
    block: tuple[int, ...]

    def __post_init__(self) -> None:
        s = self.child.schema
        fits = len(self.block) == len(self.shape) >= s.ndim
        if not fits or any(s.shape[axis] != 1 for axis in self._stretched()):
            raise SchemaError(
                f"Broadcast: {s.name} ({s}) cannot become {self.shape} in blocks {self.block}; "
                "only new axes in front and axes of extent 1 are repeated"
            )

    def repeated(self) -> tuple[int, ...]:
        """The axes of the result along which the child is repeated."""
        new = len(self.shape) - self.child.schema.ndim
        return (*range(new), *(new + axis for axis in self._stretched()))

    def _stretched(self) -> tuple[int, ...]:
        """Axes of the child that differ from those of the result they are aligned with."""
        s = self.child.schema
        new = len(self.shape) - s.ndim
        return tuple(
            axis
            for axis in range(s.ndim)
            if (s.shape[axis], s.block[axis]) != (self.shape[new + axis], self.block[new + axis])
        )

    @cached_property
    def schema(self) -> TensorSchema:
        return TensorSchema("broadcast", self.shape, self.block, self.child.schema.dtype)


@dataclass(frozen=True, eq=False, repr=False)
class Concat(Node):
    """Tensors one after the other along an axis; cut like the first."""

    parts: tuple[Node, ...]
    axis: int

    def __post_init__(self) -> None:
        first = self.parts[0].schema
        if not 0 <= self.axis < first.ndim:
            raise SchemaError(f"Concat: {first.name} ({first}) has no axis {self.axis}")
        for part in self.parts:
            s = part.schema
            alike = s.ndim == first.ndim and s.dtype == first.dtype
            if not alike or any(
                s.shape[a] != first.shape[a] for a in range(s.ndim) if a != self.axis
            ):
                raise SchemaError(
                    f"Concat: {s.name} ({s}) and {first.name} ({first}) must agree in dtype and in "
                    f"every extent but that of axis {self.axis}"
                )

    @cached_property
    def schema(self) -> TensorSchema:
        first = self.parts[0].schema
        shape = list(first.shape)
        shape[self.axis] = sum(part.schema.numbers[self.axis] for part in self.parts)
        return TensorSchema("concat", tuple(shape), first.block, first.dtype)


@dataclass(frozen=True, eq=False, repr=False)
class Slice(Node):
    """Elements ``starts[d] <= position < stops[d]`` along every axis; blocks as before."""

    child: Node
    starts: tuple[int, ...]
    stops: tuple[int, ...]

    def __post_init__(self) -> None:
        s = self.child.schema
        inside = len(self.starts) == len(self.stops) == s.ndim and all(
            0 <= start <= stop <= extent
            for start, stop, extent in zip(self.starts, self.stops, s.numbers, strict=True)
        )
        if not inside:
            raise SchemaError(
                f"Slice: {self.starts} to {self.stops} does not lie in {s.name} ({s}); give "
                "0 <= start <= stop <= extent for every axis"
            )

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.child.schema
        shape = tuple(b - a for a, b in zip(self.starts, self.stops, strict=True))
        return TensorSchema("slice", shape, s.block, s.dtype)


@dataclass(frozen=True, eq=False, repr=False)
class SplitAxis(Node):
    """One axis of extent ``n`` becomes two, ``(n / inner, inner)``; nothing moves in memory.

    Blocks must not straddle: the block extent divides ``inner``, or is a multiple of it.
    """

    child: Node
    axis: int
    inner: int

    def __post_init__(self) -> None:
        s = self.child.schema
        if not 0 <= self.axis < s.ndim or self.inner < 1 or s.numbers[self.axis] % self.inner:
            raise SchemaError(
                f"SplitAxis: axis {self.axis} of {s.name} ({s}) cannot be split into rows of "
                f"{self.inner}"
            )

    @property
    def fitting_block(self) -> int:
        """The largest block extent along the axis, at most the child's, that does not straddle."""
        block = self.child.schema.block_numbers[self.axis]
        return block if block % self.inner == 0 else gcd(block, self.inner)

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.child.schema
        block, inner = self.fitting_block, self.inner
        outer_block, inner_block = (block // inner, inner) if block >= inner else (1, block)
        shape: tuple[Extent, ...] = (s.numbers[self.axis] // inner, inner)
        after = self.axis + 1
        return TensorSchema(
            "split",
            (*s.shape[: self.axis], *shape, *s.shape[after:]),
            (*s.block[: self.axis], outer_block, inner_block, *s.block[after:]),
            s.dtype,
        )


@dataclass(frozen=True, eq=False, repr=False)
class MergeAxes(Node):
    """Axes ``axis`` and ``axis + 1`` become one, row-major; the inverse of :class:`SplitAxis`.

    Blocks must lie in a row: of extent 1 along the first axis and dividing the second, or whole
    along the second. What does not, is cut again first.
    """

    child: Node
    axis: int

    def __post_init__(self) -> None:
        s = self.child.schema
        if not 0 <= self.axis < s.ndim - 1:
            raise SchemaError(f"MergeAxes: {s.name} ({s}) has no axes {self.axis} and the next")

    @property
    def fitting_block(self) -> tuple[int, int]:
        """Block extents along the two axes, as near to the child's as merging allows."""
        s = self.child.schema
        outer, inner = s.block_numbers[self.axis], s.block_numbers[self.axis + 1]
        extent = max(1, s.numbers[self.axis + 1])
        if inner == extent:
            return outer, inner
        return 1, gcd(inner, extent)

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.child.schema
        outer, inner = self.fitting_block
        extent = s.numbers[self.axis] * s.numbers[self.axis + 1]
        after = self.axis + 2
        return TensorSchema(
            "merge",
            (*s.shape[: self.axis], extent, *s.shape[after:]),
            (*s.block[: self.axis], outer * inner, *s.block[after:]),
            s.dtype,
        )
