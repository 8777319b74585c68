"""Operations across the lanes of a vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from gpudb.backend.jit.compiled.llvm import FLOATS, INT, INTS, LANES, first, read, repeated, write
from gpudb.backend.jit.compiled.vectors import operation, pointer, vector


@operation(types.float32, vector)
def lanes_sum(builder, x):  # type: ignore[no-untyped-def]
    """Sum of the elements: halves are added until one is left."""
    return _folded(builder, x, builder.fadd)


@operation(types.float32, vector)
def lanes_largest(builder, x):  # type: ignore[no-untyped-def]
    """Largest of the elements; one that is NaN may be passed over."""

    def larger_of(a: Any, b: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", a, b), b, a)

    return _folded(builder, x, larger_of)


def _folded(builder: Any, x: Any, combine: Callable[[Any, Any], Any]) -> Any:
    width = LANES
    while width > 1:
        width //= 2
        low, high = (
            builder.shuffle_vector(x, x, ir.Constant(ir.VectorType(INT, width), list(lanes)))
            for lanes in (range(width), range(width, 2 * width))
        )
        x = combine(low, high)
    return builder.extract_element(x, ir.Constant(INT, 0))


@operation(types.void, pointer, types.int64, pointer, types.int64)
def transpose(builder, source, source_step, target, target_step):  # type: ignore[no-untyped-def]
    """Write ``LANES`` rows of ``LANES`` elements as columns; steps from row to row are in bytes.

    Rows a half apart are interleaved, log2(LANES) times.
    """
    rows = []
    for _ in range(LANES):
        rows.append(read(builder, source, FLOATS))
        source = builder.add(source, source_step)
    half = LANES // 2
    pairs = [(i, LANES + i) for i in range(LANES)]
    low, high = (
        ir.Constant(INTS, [lane for pair in some for lane in pair])
        for some in (pairs[:half], pairs[half:])
    )
    for _ in range(half.bit_length()):
        rows = [
            builder.shuffle_vector(rows[i], rows[i + half], mask)
            for i in range(half)
            for mask in (low, high)
        ]
    for row in rows:
        write(builder, target, row)
        target = builder.add(target, target_step)


@operation(vector, vector, types.int64, types.float32)
def first_lanes(builder, x, count, other):  # type: ignore[no-untyped-def]
    """The first ``count`` elements, then another number."""
    return builder.select(first(builder, count), x, repeated(builder, other))
