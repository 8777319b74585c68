"""Random plans over small arrays: a source, then steps drawn from :data:`STEPS`.

A step is a function ``(draw, arrays, node) -> node or None``; None where it does not apply. Add the
name of a new one to :data:`STEPS`. Numbers in the sources are multiples of 1/2, so that sums and
products of them are exact in any order; :func:`exact` says whether that still holds, for steps that
turn a difference in the last bit into another number (``argmax``, comparisons, rounding).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st

from gpudb.keys import COMPARE
from gpudb.plan.elementwise import Cast, FilterElements, ZipScalar
from gpudb.plan.node import Node, walk
from gpudb.plan.relational import (
    AGGREGATES,
    PRODUCTS,
    Aggregate,
    Contract,
    FilterKeys,
    Join,
    Project,
    Rekey,
)
from gpudb.plan.tensor import ZIP_FUNCTIONS, Map, Matmul, Reblock, Scan, Zip
from tests.tiny_plans import Arrays

Draw = Callable[..., Any]
Step = Callable[[Draw, Arrays, Node], Node | None]

LARGEST = 3000
"""Elements of a result, so that thousands of examples take seconds."""
EXACT_MAPS = ("abs", "negative", "relu")
TAME_MAPS = (*EXACT_MAPS, "gelu_tanh", "quick_gelu", "sigmoid", "silu", "tanh")


@st.composite
def plans(draw: st.DrawFn, most_steps: int = 5) -> tuple[Node, Arrays]:
    """A plan and the arrays it reads."""
    arrays = Arrays()
    rank = draw(st.integers(1, 4))
    node = source(draw, arrays, tuple(_extent(draw, rank) for _ in range(rank)))
    for _ in range(draw(st.integers(1, most_steps))):
        node = draw(st.sampled_from(STEPS))(draw, arrays, node) or node
    return node, arrays


def source(draw: Draw, arrays: Arrays, shape: tuple[int, ...]) -> Node:
    """A new stored tensor, in any blocks, perhaps with blocks missing."""
    random = np.random.default_rng(draw(st.integers(0, 99)))
    block = tuple(draw(st.integers(1, e + 2)) for e in shape)
    values = random.integers(-4, 5, shape) / 2
    sparse = draw(st.booleans())
    if sparse:
        for axis, step in enumerate(block):
            # Whole slabs of blocks are zero, with elements left in others.
            gone = random.random(-(-shape[axis] // step)) < 0.3
            slab = np.repeat(gone, step)[: shape[axis]]
            values[(slice(None),) * axis + (slab,)] = 0
    return arrays.scan(f"t{len(arrays.dense)}", values, block, sparse=sparse)


def exact(node: Node) -> bool:
    """True when no number of the result has been rounded."""
    return all(_is_exact(n) for n in walk(node))


def _is_exact(node: Node) -> bool:
    match node:
        case Map(fn=fn):
            return fn in EXACT_MAPS
        case Zip(fn=fn) | ZipScalar(fn=fn) | Join(kernel=fn) | Aggregate(fn=fn):
            return fn not in ("divide", "mean")
    moves = (Scan, Reblock, FilterKeys, FilterElements, Project, Rekey, Cast, Matmul, Contract)
    return isinstance(node, moves)


def filter_keys(draw: Draw, arrays: Arrays, node: Node) -> Node:
    s = node.schema
    tests = []
    for _ in range(draw(st.integers(1, 2))):
        axis = draw(st.integers(0, s.ndim - 1))
        op = draw(st.sampled_from([*COMPARE, "in"]))
        number = st.integers(0, max(1, s.grid[axis]))
        other = st.integers(0, s.ndim - 1).map(lambda a: f"i{a}")
        value = draw(st.lists(number).map(tuple) if op == "in" else st.one_of(number, other))
        tests.append((axis, op, value))
    return FilterKeys(node, tuple(tests))


def filter_elements(draw: Draw, arrays: Arrays, node: Node) -> Node | None:
    if not exact(node):
        return None
    value = draw(st.sampled_from([-1.0, 0.0, 0.3, 0.5]))
    return FilterElements(node, draw(st.sampled_from(list(COMPARE))), value)


def map_elements(draw: Draw, arrays: Arrays, node: Node) -> Node:
    fn = draw(st.sampled_from([*TAME_MAPS, "exp", "sqrt", "square"]))
    if fn == "sqrt":  # steep at zero
        node = ZipScalar(Map(node, "abs"), "add", 1.0)
    elif fn in ("exp", "square"):  # do not let numbers grow
        node = Map(node, "tanh")
    return Map(node, fn)


def zip_scalar(draw: Draw, arrays: Arrays, node: Node) -> Node:
    fn, value = draw(st.sampled_from(ZIP_FUNCTIONS)), draw(st.sampled_from([-1.5, 0.0, 0.5, 2.0]))
    swapped = draw(st.booleans())
    if fn == "divide" and swapped:
        node = away_from_zero(node)
    return ZipScalar(node, fn, value or float(fn == "divide"), swapped)


def cast(draw: Draw, arrays: Arrays, node: Node) -> Node:
    if not exact(node) or draw(st.booleans()):
        return Cast(node, "float64")
    return Cast(Cast(node, draw(st.sampled_from(["int32", "int64"]))), "float64")


def zip_elements(draw: Draw, arrays: Arrays, node: Node) -> Node:
    fn, shape = draw(st.sampled_from(ZIP_FUNCTIONS)), node.schema.numbers
    right: Node
    match draw(st.integers(0, 3)):
        case 0:
            right = node
        case 1:
            right = source(draw, arrays, shape[-1:])
        case _:
            right = source(draw, arrays, shape)
    return Zip(node, away_from_zero(right) if fn == "divide" else right, fn)


def join(draw: Draw, arrays: Arrays, node: Node) -> Node | None:
    """With another tensor, or with a part of the same plan, on some of the axes."""
    kernel = draw(st.sampled_from([*PRODUCTS, *ZIP_FUNCTIONS]))
    s = node.schema
    rank = draw(st.integers(1, 3))
    axes = list(draw(st.permutations(range(s.ndim)))[: draw(st.integers(0, min(s.ndim, rank)))])
    rights = list(draw(st.permutations(range(rank)))[: len(axes)])
    if kernel in PRODUCTS:
        inner = max(0, rank - 2) if kernel == "matmul" else rank - 1
        pairs = [p for p in zip(axes, rights, strict=True) if p[0] != s.ndim - 1 and p[1] != inner]
        axes, rights = [a for a, _ in pairs] + [s.ndim - 1], [b for _, b in pairs] + [inner]
    on = tuple(zip(axes, rights, strict=True))
    right = _partner(draw, arrays, node, on, rank)
    if right is None:
        return None
    return Join(node, away_from_zero(right) if kernel == "divide" else right, on, kernel)


def product_of_pairs(draw: Draw, arrays: Arrays, node: Node) -> Node | None:
    """A join that multiplies and the sum that completes it: a rule makes one step of them."""
    joined = join(draw, arrays, node)
    if not isinstance(joined, Join) or joined.kernel not in PRODUCTS:
        return None
    kept = tuple(axis for axis in range(joined.schema.ndim) if axis != joined.contracted[0])
    return Aggregate(joined, kept, "sum")


def contract(draw: Draw, arrays: Arrays, node: Node) -> Node | None:
    s = node.schema
    rank = draw(st.integers(1, 3))
    count = draw(st.integers(1, min(s.ndim, rank)))
    axes = draw(st.permutations(range(s.ndim)))[:count]
    on = tuple(zip(axes, draw(st.permutations(range(rank)))[:count], strict=True))
    if s.ndim + rank - count < 2:
        return None
    right = _partner(draw, arrays, node, on, rank)
    return None if right is None else Contract(node, right, on, draw(st.sampled_from(on)))


def matmul(draw: Draw, arrays: Arrays, node: Node) -> Node | None:
    if node.schema.ndim != 2:
        return None
    transpose = draw(st.booleans())
    inner, outer = node.schema.numbers[1], _extent(draw, 2)
    right = source(draw, arrays, (outer, inner) if transpose else (inner, outer))
    return Matmul(node, right, transpose)


def aggregate(draw: Draw, arrays: Arrays, node: Node) -> Node | None:
    ndim, fn = node.schema.ndim, draw(st.sampled_from(AGGREGATES))
    if fn == "argmax":
        if not exact(node):
            return None
        keep = draw(st.sampled_from(list(combinations(range(ndim), ndim - 1))))
    else:
        keep = tuple(sorted(draw(st.sets(st.integers(0, ndim - 1)))))
    result = Aggregate(node, keep, fn)
    return Cast(result, "float64") if fn in ("count", "argmax") else result


def project(draw: Draw, arrays: Arrays, node: Node) -> Node:
    axes = draw(st.sets(st.integers(0, node.schema.ndim - 1)))
    grid = node.schema.grid
    return Project(
        node, tuple((a, draw(st.integers(0, grid[a] - 1))) for a in sorted(axes) if grid[a])
    )


def rekey(draw: Draw, arrays: Arrays, node: Node) -> Node | None:
    s = node.schema
    keys = []
    for axis in draw(st.permutations(range(s.ndim))):
        scale = draw(st.sampled_from([1, 1, 2, -1]))
        least = max(0, -scale * (s.grid[axis] - 1))
        keys.append((axis, scale, draw(st.integers(least, least + 1))))
    result = Rekey(node, tuple(keys))
    return result if prod(result.schema.numbers) <= LARGEST else None


def reblock(draw: Draw, arrays: Arrays, node: Node) -> Node:
    return Reblock(node, tuple(draw(st.integers(1, e + 2)) for e in node.schema.numbers))


def away_from_zero(node: Node) -> Node:
    """At least 1 everywhere: what may be divided by."""
    return ZipScalar(Map(node, "abs"), "add", 1.0)


STEPS: list[Step] = [
    filter_keys,
    filter_elements,
    map_elements,
    zip_scalar,
    cast,
    zip_elements,
    join,
    product_of_pairs,
    contract,
    matmul,
    aggregate,
    project,
    rekey,
    reblock,
]


def _partner(
    draw: Draw, arrays: Arrays, node: Node, on: tuple[tuple[int, int], ...], rank: int
) -> Node | None:
    """A right side of this rank; None if the result of the join could be large."""
    joined = {right: node.schema.numbers[left] for left, right in on}
    shape = tuple(joined[a] if a in joined else _extent(draw, 4) for a in range(rank))
    free = prod(e for axis, e in enumerate(shape) if axis not in joined)
    fits = prod(node.schema.numbers) * free <= LARGEST and node.schema.ndim + rank <= 6
    return source(draw, arrays, shape) if fits else None


def _extent(draw: Draw, rank: int) -> int:
    """Short axes where there are many; seldom 0, which leaves nothing to compare."""
    if draw(st.integers(0, 19)) == 19:
        return 0
    return int(draw(st.integers(1, 9 if rank < 3 else 5)))
