"""One more step on top of a plan: steps that move elements, or combine them along an axis.

Each function draws the parameters of a node that is valid over the given one. Those in
:data:`STEPS` need nothing else; those in :data:`STEPS_WITH_ARRAYS` store arrays that they read.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, prod
from typing import Any

import numpy as np
from hypothesis import strategies as st

from gpudb.plan.node import Node, walk
from gpudb.plan.reduce import REDUCTIONS, SEGMENT_FUNCTIONS, Reduce, RowSoftmax, SegmentAggregate
from gpudb.plan.reshape import Broadcast, Concat, MergeAxes, Slice, SplitAxis, Transpose
from gpudb.plan.sequence import Normalize
from gpudb.plan.tensor import Gather, LayerNorm, Reblock, Scan
from tests.tiny_plans import Arrays

Step = Callable[[Any, Node], Node | None]
StepWithArrays = Callable[[Any, Node, Arrays], Node | None]

LONGEST = 6
"""Extents that are drawn stay below this, or so."""
ELEMENTS = 300
"""Steps that make tensors larger stop here."""
MOVES = (Scan, Reblock, Transpose, Broadcast, Concat, Slice, SplitAxis, MergeAxes, Gather)
"""Steps after which equal elements are still equal, to the last bit."""


def transposes(draw: Any, node: Node) -> Node:
    return Transpose(node, tuple(draw(st.permutations(range(node.schema.ndim)))))


def broadcasts(draw: Any, node: Node) -> Node | None:
    s = node.schema
    shape, block = list(s.numbers), list(s.block_numbers)
    for axis, extent in enumerate(s.numbers):
        if extent == 1 and draw(st.booleans()):
            shape[axis], block[axis] = _extent(draw), _block(draw)
    for _ in range(draw(st.integers(0, max(0, 3 - s.ndim)))):
        shape.insert(0, _extent(draw))
        block.insert(0, _block(draw))
    return Broadcast(node, tuple(shape), tuple(block)) if prod(shape) <= ELEMENTS else None


def slices(draw: Any, node: Node) -> Node:
    starts, stops = [], []
    for extent, block in zip(node.schema.numbers, node.schema.block_numbers, strict=True):
        aligned = draw(st.booleans())
        start = draw(st.integers(0, extent))
        starts.append(start // block * block if aligned else start)
        stops.append(draw(st.integers(starts[-1], extent)))
    return Slice(node, tuple(starts), tuple(stops))


def splits(draw: Any, node: Node) -> Node | None:
    axis = _axis(draw, node)
    extent = node.schema.numbers[axis]
    inner = draw(st.sampled_from([n for n in range(1, max(1, extent) + 1) if extent % n == 0]))
    return SplitAxis(node, axis, inner) if node.schema.ndim < 4 else None


def merges(draw: Any, node: Node) -> Node | None:
    ndim = node.schema.ndim
    return MergeAxes(node, draw(st.integers(0, ndim - 2))) if ndim > 1 else None


def reblocks(draw: Any, node: Node) -> Node:
    return Reblock(node, tuple(_block(draw) for _ in range(node.schema.ndim)))


def reductions(draw: Any, node: Node) -> Node | None:
    axis = _axis(draw, node)
    fns = set(REDUCTIONS)
    if node.schema.shape[axis] == 0:
        fns = {"sum", "count", "norm"}
    if not all(isinstance(below, MOVES) for below in walk(node)):
        fns.discard("argmax")  # rounding decides between elements that are equal on paper
    if not _is_floating(node):
        return None
    return Reduce(node, axis, draw(st.sampled_from(sorted(fns))))


def row_softmaxes(draw: Any, node: Node) -> Node | None:
    if not _is_floating(node) or not node.schema.numbers[-1]:
        return None  # NumPy has no maximum of nothing
    return RowSoftmax(node)


def normalisations(draw: Any, node: Node) -> Node | None:
    return Normalize(node, draw(st.sampled_from([1e-3, 2.0]))) if _is_floating(node) else None


def concats(draw: Any, node: Node, arrays: Arrays) -> Node | None:
    s = node.schema
    axis = _axis(draw, node)
    parts: list[Node] = [node]
    for _ in range(draw(st.integers(0, 2))):
        shape = list(s.numbers)
        shape[axis] = _extent(draw)
        parts.append(new_scan(draw, arrays, tuple(shape), s.dtype))
    if draw(st.booleans()):
        parts.append(node)
    if sum(prod(part.schema.numbers) for part in parts) > ELEMENTS:
        return None
    return Concat(tuple(draw(st.permutations(parts))), axis)


def gathers(draw: Any, node: Node, arrays: Arrays) -> Node | None:
    rows = node.schema.numbers[0]
    if not rows:
        return None
    numbers = draw(st.lists(st.integers(0, rows - 1), max_size=LONGEST))
    return Gather(node, _column(draw, arrays, numbers))


def segment_aggregates(draw: Any, node: Node, arrays: Arrays) -> Node | None:
    if not _is_floating(node):
        return None
    count = draw(st.integers(1, LONGEST))
    rows = node.schema.numbers[0]
    numbers = draw(st.lists(st.integers(0, count - 1), min_size=rows, max_size=rows))
    fn = draw(st.sampled_from(SEGMENT_FUNCTIONS))
    return SegmentAggregate(node, _column(draw, arrays, numbers), count, fn)


def layer_norms(draw: Any, node: Node, arrays: Arrays) -> Node | None:
    s = node.schema
    if not _is_floating(node) or not s.numbers[-1]:
        return None
    gamma, beta = (new_scan(draw, arrays, s.numbers[-1:], s.dtype) for _ in range(2))
    return LayerNorm(node, gamma, beta, draw(st.sampled_from([1e-2, 1.0])))


STEPS: tuple[Step, ...] = (
    transposes,
    broadcasts,
    slices,
    splits,
    merges,
    reblocks,
    reductions,
    row_softmaxes,
    normalisations,
)
STEPS_WITH_ARRAYS: tuple[StepWithArrays, ...] = (concats, gathers, segment_aggregates, layer_norms)


def new_scan(draw: Any, arrays: Arrays, shape: tuple[int, ...], dtype: str = "float64") -> Scan:
    """A stored tensor with ties, zeros and, at times, blocks that are not stored."""
    random = np.random.default_rng(draw(st.integers(0, 2**20)))
    values = random.integers(-6, 7, shape) / 2
    block = tuple(_block(draw) for _ in shape)
    sparse = draw(st.booleans())
    if sparse:
        for number in np.ndindex(*(ceil(e / b) for e, b in zip(shape, block, strict=True))):
            if random.random() < 0.5:
                inside = zip(number, block, strict=True)
                values[tuple(slice(k * b, (k + 1) * b) for k, b in inside)] = 0
    name = f"t{len(arrays.dense)}"
    return arrays.scan(name, values.astype(dtype), block, sparse=sparse)


def new_shape(draw: Any) -> tuple[int, ...]:
    """Of one to three axes."""
    return tuple(_extent(draw) for _ in range(draw(st.integers(1, 3))))


def _column(draw: Any, arrays: Arrays, numbers: list[int]) -> Scan:
    values = np.array(numbers, draw(st.sampled_from(["int32", "int64"])))
    return arrays.scan(f"t{len(arrays.dense)}", values, (_block(draw),), sparse=draw(st.booleans()))


def _extent(draw: Any) -> int:
    return int(draw(st.sampled_from([0, 1, 1, 2, 3, 4, 5, LONGEST])))


def _block(draw: Any) -> int:
    return int(draw(st.integers(1, LONGEST + 1)))


def _axis(draw: Any, node: Node) -> int:
    return int(draw(st.integers(0, node.schema.ndim - 1)))


def _is_floating(node: Node) -> bool:
    return "float" in node.schema.dtype
