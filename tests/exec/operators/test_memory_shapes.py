"""What an operator says it will hold is what it holds, measured."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from gpudb.backend import NumpyBackend
from gpudb.exec.operator import Context
from gpudb.exec.prepared import NO_SOURCE
from gpudb.kernels.rows import PIECE_NBYTES
from gpudb.lower import lower
from gpudb.plan.node import Node
from gpudb.plan.reduce import REDUCTIONS, Reduce, RowSoftmax, SegmentAggregate
from gpudb.plan.reshape import Broadcast, Concat, Slice, Transpose
from gpudb.plan.sequence import Normalize
from gpudb.plan.tensor import Gather, LayerNorm
from tests.tiny_plans import Arrays

SHAPE = (500, 700)
SLACK = 128 << 10
"""Bytes for Python objects, NumPy's casting buffers and row numbers."""
PIECES = 4 * PIECE_NBYTES
"""Bytes that are projected whether or not the blocks at hand fill the pieces they are taken in."""
BLOCKS = [(64, 64), (7, 700), (500, 9), (600, 800)]


def _vector(arrays: Arrays, values: np.ndarray, block: int) -> Node:
    return arrays.scan(f"v{len(arrays.dense)}", values, (block,))


def _layer_norm(a: Arrays, x: Node) -> Node:
    block = x.schema.block_numbers[1]
    gamma, beta = (_vector(a, np.ones(700, np.float32), block) for _ in range(2))
    return LayerNorm(x, gamma, beta, 1e-5)


def _segments(fn: str) -> Callable[[Arrays, Node], Node]:
    def build(a: Arrays, x: Node) -> Node:
        return SegmentAggregate(
            x, _vector(a, np.arange(500) % 90, x.schema.block_numbers[0]), 90, fn
        )

    return build


PLANS: dict[str, Callable[[Arrays, Node], Node]] = {
    "transpose": lambda a, x: Transpose(x, (1, 0)),
    "broadcast": lambda a, x: Broadcast(x, (3, *SHAPE), (2, *x.schema.block_numbers)),
    "concat": lambda a, x: Concat((x, x), 1),
    "slice": lambda a, x: Slice(x, (64, 0), (460, 650)),
    "slice across": lambda a, x: Slice(x, (3, 0), (460, 650)),
    "softmax": lambda a, x: RowSoftmax(x),
    "layer_norm": _layer_norm,
    "normalize": lambda a, x: Normalize(x, 1e-12),
    "segment mean": _segments("mean"),
    "segment max": _segments("max"),
    "segment count": _segments("count"),
    **{
        f"{fn} {axis}": (lambda a, x, fn=fn, axis=axis: Reduce(x, axis, fn))  # type: ignore[misc]
        for fn in REDUCTIONS
        for axis in (0, 1)
    },
}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
@pytest.mark.parametrize("name", sorted(PLANS))
def test_projected_memory_covers_what_is_held(name: str, block: tuple[int, int]) -> None:
    arrays = Arrays()
    values = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    held, projected = _measure(PLANS[name](arrays, arrays.scan("x", values, block)), arrays)
    assert held <= projected + SLACK
    assert projected <= 2 * held + PIECES


def test_gathering_rows() -> None:
    arrays = Arrays()
    table = arrays.scan("t", np.ones((400, 300), np.float32), (30, 300))
    numbers = _vector(arrays, np.arange(999) % 400, 100)
    held, projected = _measure(Gather(table, numbers), arrays)
    assert held <= projected + SLACK
    assert projected <= 2 * held + PIECES


def _measure(plan: Node, arrays: Arrays) -> tuple[int, int]:
    """Bytes that the last operator held and said it would hold, its result included."""
    op = lower(plan)
    below = op.children[0] if type(op).__name__ == "ShiftLines" else op
    scans = below.children
    keys = [arrays.keys(scan.out.name) for scan in scans]
    inputs = [arrays.blocks[scan.out.name] for scan in scans]
    ctx = Context(NumpyBackend(), NO_SOURCE, {})
    if below is not op:
        joined = below.join(NumpyBackend(), *keys)
        keys, inputs = [joined.keys], [below.run(ctx, joined, *inputs)]
    joined = op.join(NumpyBackend(), *keys)
    op.run(ctx, joined, *inputs)  # whatever Python imports or keeps is there from now on
    tracemalloc.start()
    try:
        op.run(ctx, joined, *inputs)
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return held, op.out.nbytes + op.cost({}).scratch
