"""The relational half of the algebra: blocks are rows, their grid coordinates are key columns.

Every node returns a tensor again, so each has a dense meaning, and the meaning does not depend on
whether a block of zeros is stored: a missing block *is* zero. A key column that only counts (the
inner key of a product before it is summed over) is an axis whose blocks have the extent 1.

The operators are those of tensor-relational algebra (Yuan et al., "Tensor Relational Algebra for
Distributed Machine Learning System Design", VLDB 2021), on any number of key columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from gpudb.errors import SchemaError
from gpudb.keys import KeyTests, check_tests, describe_tests
from gpudb.plan.node import Node
from gpudb.plan.tensor import ZIP_FUNCTIONS, check_floating
from gpudb.types import Extent, TensorSchema, computed_dtype

PRODUCTS = ("matmul", "matmul_transposed")
"""Join kernels that sum over an axis inside each pair of blocks."""

JOIN_KERNELS = (*PRODUCTS, *ZIP_FUNCTIONS)
"""What a join may do with a pair of blocks."""

AGGREGATES = ("sum", "mean", "max", "min", "count", "argmax")
"""How blocks that share a group, or elements along an axis, become one."""

On = tuple[tuple[int, int], ...]
"""Pairs of (left axis, right axis) whose keys must be equal."""


@dataclass(frozen=True, eq=False, repr=False)
class FilterKeys(Node):
    """Keep the blocks whose keys pass all tests; the others become zero. The shape stays."""

    child: Node
    tests: KeyTests

    def __post_init__(self) -> None:
        check_tests(self.tests, self.child.schema.ndim)

    @cached_property
    def schema(self) -> TensorSchema:
        return self.child.schema

    def label(self) -> str:
        return f"FilterKeys({describe_tests(self.tests)})"


@dataclass(frozen=True, eq=False, repr=False)
class Join(Node):
    """Join two relations on key columns; a kernel makes one block of each pair.

    The result has the axes of ``left``, then those of ``right`` that are not joined. An elementwise
    kernel works like NumPy broadcasting along the axes that only one side has. A block that is not
    stored is an exact zero: zero times, or divided by, anything is zero, infinity and NaN included.

    ``matmul`` sums inside each pair over the last axis of ``left`` and the last but one of
    ``right`` (the last for ``matmul_transposed``); the two must be joined. That axis stays as a
    key column with one block of extent 1 per pair: summing over it (:class:`Aggregate`) completes
    the product.
    """

    left: Node
    right: Node
    on: On
    kernel: str
    tests: KeyTests = ()
    """Of products: pairs whose result key fails these are not multiplied and count as zero."""

    def __post_init__(self) -> None:
        a, b = self.left.schema, self.right.schema
        if self.kernel not in JOIN_KERNELS:
            raise SchemaError(
                f"Join: no kernel {self.kernel!r}; there are {', '.join(JOIN_KERNELS)}"
            )
        check_on(f"Join({self.kernel})", a, b, self.on)
        check_floating(f"Join({self.kernel})", a, b)
        if self.kernel in PRODUCTS and self.contracted not in self.on:
            left, right = self.contracted
            raise SchemaError(
                f"Join({self.kernel}): sums over axis {left} of {a.name} ({a}) and axis {right} of "
                f"{b.name} ({b}); join on these two, found {self.on}"
            )
        if self.tests and self.kernel not in PRODUCTS:
            raise SchemaError(f"Join({self.kernel}): filter its inputs, or its result, by key")
        check_tests(self.tests, self.schema.ndim)

    @property
    def contracted(self) -> tuple[int, int]:
        """The left and right axis that a product sums over."""
        return contracted_axes(self.kernel, self.left.schema.ndim, self.right.schema.ndim)

    @cached_property
    def schema(self) -> TensorSchema:
        a, b = self.left.schema, self.right.schema
        shape, block = list(a.shape), list(a.block)
        if self.kernel in PRODUCTS:
            axis = self.contracted[0]
            shape[axis], block[axis] = a.grid_along(axis), 1
        joined = {right for _, right in self.on}
        for axis in range(b.ndim):
            if axis not in joined:
                shape.append(b.shape[axis])
                block.append(b.block[axis])
        dtype = computed_dtype(a.dtype, b.dtype)
        return TensorSchema(self.kernel, tuple(shape), tuple(block), dtype)


@dataclass(frozen=True, eq=False, repr=False)
class Contract(Node):
    """Join two relations, multiply each pair of blocks, sum over the contracted key.

    What :class:`Join` with ``matmul`` and :class:`Aggregate` over the inner key do together;
    ``contracted`` is the one pair of ``on`` that is summed over, the others are batch axes. The
    result has the axes of ``left`` without the contracted one, then those of ``right`` that are
    not joined.
    """

    left: Node
    right: Node
    on: On
    contracted: tuple[int, int]
    tests: KeyTests = ()
    """Result blocks whose key fails these are not computed; they count as zero."""

    def __post_init__(self) -> None:
        a, b = self.left.schema, self.right.schema
        check_on("Contract", a, b, self.on)
        check_floating("Contract", a, b)
        if self.contracted not in self.on:
            raise SchemaError(f"Contract: sums over {self.contracted}, which is not in {self.on}")
        if a.ndim + b.ndim - len(self.on) < 2:
            raise SchemaError("Contract: nothing is left; multiply elementwise and reduce instead")
        check_tests(self.tests, self.schema.ndim)

    @cached_property
    def schema(self) -> TensorSchema:
        a, b = self.left.schema, self.right.schema
        joined = {right for _, right in self.on}
        kept = [(a, axis) for axis in range(a.ndim) if axis != self.contracted[0]]
        kept += [(b, axis) for axis in range(b.ndim) if axis not in joined]
        shape = tuple(s.shape[axis] for s, axis in kept)
        block = tuple(s.block[axis] for s, axis in kept)
        return TensorSchema("contract", shape, block, computed_dtype(a.dtype, b.dtype))


@dataclass(frozen=True, eq=False, repr=False)
class Aggregate(Node):
    """Group blocks by the key columns ``keep`` and combine each group element by element.

    A key column that is not kept vanishes; if its blocks are longer than 1 the axis stays, as the
    single block that the group has become. Padding takes no part, blocks that are not stored take
    part as zeros, and a group without elements gives zero. ``argmax`` gives the number of the
    block with the largest element, the first of equal ones.
    """

    child: Node
    keep: tuple[int, ...]
    fn: str

    def __post_init__(self) -> None:
        s = self.child.schema
        if self.fn not in AGGREGATES:
            raise SchemaError(f"Aggregate: no function {self.fn!r}; there are {AGGREGATES}")
        if list(self.keep) != sorted(set(self.keep) & set(range(s.ndim))):
            raise SchemaError(
                f"Aggregate: the kept key columns are {self.keep}; expected rising numbers below "
                f"{s.ndim}, the axes of {s.name} ({s})"
            )
        check_floating(f"Aggregate({self.fn})", s)
        if self.fn == "argmax" and s.ndim - len(self.keep) != 1:
            raise SchemaError("Aggregate(argmax): exactly one key column must be aggregated over")

    @property
    def dropped(self) -> tuple[int, ...]:
        """The key columns that are aggregated over."""
        return tuple(a for a in range(self.child.schema.ndim) if a not in self.keep)

    @cached_property
    def schema(self) -> TensorSchema:
        dtype = "int64" if self.fn in ("count", "argmax") else None
        return without_keys(self.fn, self.child.schema, self.dropped, dtype)


@dataclass(frozen=True, eq=False, repr=False)
class Project(Node):
    """Keep the blocks at one key of some key columns, and drop these columns.

    ``dropped`` lists (axis, block number). As in :class:`Aggregate`, an axis with blocks longer
    than 1 stays, as a single block.
    """

    child: Node
    dropped: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        s = self.child.schema
        axes = [axis for axis, _ in self.dropped]
        for axis, number in self.dropped:
            if not 0 <= axis < s.ndim or axes.count(axis) > 1:
                raise SchemaError(f"Project: axes {axes} are not distinct axes of {s.name} ({s})")
            if not 0 <= number < s.grid_along(axis):
                raise SchemaError(
                    f"Project: block {number} along axis {axis} is not one of the "
                    f"{s.grid_along(axis)} of {s.name} ({s})"
                )

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.child.schema
        at = dict(self.dropped)
        shape = list(s.shape)
        for axis, number in self.dropped:
            extent, block = s.numbers[axis], s.block_numbers[axis]
            shape[axis] = min(block, extent - number * block)
        placed = TensorSchema(s.name, tuple(shape), s.block, s.dtype)
        return without_keys("project", placed, tuple(sorted(at)))


@dataclass(frozen=True, eq=False, repr=False)
class Rekey(Node):
    """Give blocks other keys; what is in them stays.

    ``keys[d]`` is ``(axis, scale, offset)``: the new key ``d`` is ``scale`` times the old key
    ``axis``, plus ``offset``. Every old axis is used once and no new key is negative. Where a key
    changes, the new extent is that of whole blocks up to the largest key.
    """

    child: Node
    keys: tuple[tuple[int, int, int], ...]

    def __post_init__(self) -> None:
        s = self.child.schema
        if sorted(axis for axis, _, _ in self.keys) != list(range(s.ndim)):
            raise SchemaError(f"Rekey: {self.keys} must use each axis of {s.name} ({s}) once")
        for axis, scale, offset in self.keys:
            last = scale * (s.grid_along(axis) - 1) + offset
            if scale == 0 or (s.grid_along(axis) and min(offset, last) < 0):
                raise SchemaError(
                    f"Rekey: {scale} · i{axis} + {offset} gives keys from {offset} to {last}; "
                    "expected a scale other than 0 and no negative key"
                )

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.child.schema
        shape: list[Extent] = []
        for new, (axis, scale, offset) in enumerate(self.keys):
            if (axis, scale, offset) == (new, 1, 0):
                shape.append(s.shape[new])
                continue
            grid = s.grid_along(axis)
            largest = max(offset, scale * (grid - 1) + offset) + 1 if grid else 0
            shape.append(largest * s.block_numbers[new])
        return TensorSchema("rekey", tuple(shape), s.block, s.dtype)


def contracted_axes(kernel: str, left_ndim: int, right_ndim: int) -> tuple[int, int]:
    """The axes that ``matmul`` or ``matmul_transposed`` sums over, of operands of these ranks."""
    before_last = right_ndim - 2 if kernel == "matmul" else right_ndim - 1
    return left_ndim - 1, max(0, before_last)


def check_on(step: str, a: TensorSchema, b: TensorSchema, on: On) -> None:
    """Raise unless ``on`` pairs axes of ``a`` and ``b`` with equal extents, each at most once."""
    lefts, rights = [left for left, _ in on], [right for _, right in on]
    for left, right in on:
        if not (0 <= left < a.ndim and 0 <= right < b.ndim):
            raise SchemaError(f"{step}: {on} names axes that {a.name} ({a}), {b.name} ({b}) lack")
        if lefts.count(left) > 1 or rights.count(right) > 1:
            raise SchemaError(f"{step}: {on} joins an axis twice; each may be joined once")
        if a.shape[left] != b.shape[right]:
            raise SchemaError(
                f"{step}: axis {left} of {a.name} ({a}) has extent {a.shape[left]}, axis {right} "
                f"of {b.name} ({b}) has {b.shape[right]}; joined axes must be equally long"
            )


def without_keys(
    name: str, s: TensorSchema, dropped: tuple[int, ...], dtype: str | None = None
) -> TensorSchema:
    """``s`` after its key columns ``dropped`` have come down to one key each.

    Axes with blocks of extent 1 vanish (the last one stays: a tensor has an axis); others stay as
    one block.
    """
    shape: list[Extent] = []
    block: list[Extent] = []
    for axis, (extent, step) in enumerate(zip(s.shape, s.block, strict=True)):
        if axis not in dropped:
            shape.append(extent)
            block.append(step)
        elif step != 1:
            shape.append(min(s.numbers[axis], s.block_numbers[axis]))
            block.append(step)
    if not shape:
        shape, block = [1], [1]
    return TensorSchema(name, tuple(shape), tuple(block), dtype or s.dtype)
