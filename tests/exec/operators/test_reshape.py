"""Steps that only move elements, on explicit odd cases."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from gpudb.backend import NumpyBackend
from gpudb.exec.batch import grid_keys
from gpudb.exec.operator import Context
from gpudb.exec.operators.broadcast_blocks import BroadcastBlocks
from gpudb.exec.operators.concat_blocks import ConcatBlocks, ConcatLines
from gpudb.exec.operators.slice_blocks import ShiftLines, SliceBlocks
from gpudb.exec.operators.split_merge_axes import MergeAxesView, SplitAxisView
from gpudb.exec.operators.transpose_blocks import TransposeBlocks
from gpudb.exec.prepared import NO_SOURCE
from gpudb.lower import lower
from gpudb.plan.reshape import Broadcast, Concat, MergeAxes, Slice, SplitAxis, Transpose
from gpudb.plan.tensor import Input
from gpudb.types import TensorSchema
from tests.exec.against_dense import check, operator, operators
from tests.tiny_plans import Arrays, blocks_of, prepared

DTYPES = ["float32", "float64", "int64"]
CUBES = [((4, 6, 5), (2, 4, 3)), ((3, 1, 2), (5, 5, 5)), ((0, 3, 2), (2, 2, 2)), ((1, 1, 1),) * 2]


def _numbers(shape: tuple[int, ...], dtype: str = "float64") -> Any:
    """Different numbers, none of them zero: zeros in a result are padding or missing."""
    return np.arange(1, np.prod(shape) + 1).reshape(shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "block"), CUBES)
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_transpose(order: Any, shape: Any, block: Any, dtype: str) -> None:
    arrays = Arrays()
    check(Transpose(arrays.scan("x", _numbers(shape, dtype), block), order), arrays)


def test_result_keys_of_a_transpose_are_in_row_major_order() -> None:
    arrays = Arrays()
    plan = Transpose(arrays.scan("x", _numbers((5, 7)), (2, 3)), (1, 0))
    op = operator(plan, TransposeBlocks)
    joined = op.join(NumpyBackend(), arrays.keys("x"))
    np.testing.assert_array_equal(joined.keys, grid_keys(op.out))


def test_nan_inf_and_minus_zero_are_moved_as_they_are() -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.array([[np.nan, np.inf, -0.0], [-np.inf, 1.0, 0.0]]), (1, 2))
    found = check(Transpose(x, (1, 0)), arrays)
    assert np.signbit(found[2]).tolist() == [True, False]
    check(Concat((x, x), 1), arrays)
    check(Slice(x, (0, 1), (2, 3)), arrays)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "old", "target", "block"),
    [
        ((3,), (2,), (4, 3), (3, 2)),
        ((1, 3), (1, 2), (5, 3), (2, 2)),
        ((1, 3), (4, 2), (5, 3), (7, 2)),
        ((2, 1), (1, 1), (2, 6), (1, 4)),
        ((1,), (3,), (2, 3, 4), (1, 2, 3)),
        ((1, 1), (1, 1), (0, 3), (2, 2)),
        ((0, 1), (2, 1), (2, 0, 5), (1, 2, 3)),
        ((2, 3), (2, 2), (2, 3), (2, 2)),
    ],
)
def test_broadcast(shape: Any, old: Any, target: Any, block: Any, dtype: str) -> None:
    arrays = Arrays()
    check(Broadcast(arrays.scan("x", _numbers(shape, dtype), old), target, block), arrays)


def test_broadcasting_repeats_missing_blocks_as_missing() -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.array([0.0, 0, 5, 6]), (2,), sparse=True)
    plan = Broadcast(x, (3, 4), (1, 2))
    check(plan, arrays)
    keys = operator(plan, BroadcastBlocks).join(NumpyBackend(), arrays.keys("x")).keys
    assert keys.tolist() == [[0, 1], [1, 1], [2, 1]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("block", [(2, 4, 3), (1, 1, 1), (3, 3, 3), (9, 9, 9)])
@pytest.mark.parametrize("extents", [(5,), (4, 3), (3, 4, 6), (0, 5), (3, 0, 1), (12, 1, 12)])
def test_concat(extents: Any, block: Any, axis: int, dtype: str) -> None:
    arrays = Arrays()
    parts = []
    for number, extent in enumerate(extents):
        shape = [4, 3, 2]
        shape[axis] = extent
        other = block if number % 2 == 0 else (2, 2, 2)  # the rules cut it like the first
        parts.append(arrays.scan(f"x{number}", _numbers(tuple(shape), dtype), other))
    check(Concat(tuple(parts), axis), arrays)


@pytest.mark.parametrize(
    ("extents", "kind"),
    [((4, 2, 5), ConcatBlocks), ((4, 1, 0), ConcatBlocks), ((1, 4), ConcatLines)],
)
def test_aligned_parts_move_whole_blocks(extents: Any, kind: Any) -> None:
    arrays = Arrays()
    parts = [arrays.scan(f"x{i}", _numbers((3, e)), (2, 2)) for i, e in enumerate(extents)]
    operator(Concat(tuple(parts), 1), kind)


def test_aligned_parts_keep_missing_blocks_missing() -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.array([0.0, 0, 5, 6]), (2,), sparse=True)
    plan = Concat((x, x), 0)
    check(plan, arrays)
    assert operator(plan, ConcatBlocks).join(
        NumpyBackend(), *(arrays.keys("x"),) * 2
    ).keys.tolist() == [[1], [3]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("block", [(2, 3), (1, 1), (4, 4), (9, 9)])
@pytest.mark.parametrize(
    ("starts", "stops"),
    [
        ((0, 0), (7, 8)),
        ((2, 3), (7, 8)),
        ((1, 1), (6, 7)),
        ((3, 0), (4, 1)),
        ((5, 7), (7, 8)),
        ((7, 8), (7, 8)),
        ((2, 4), (2, 8)),
    ],
)
def test_slice(starts: Any, stops: Any, block: Any, dtype: str) -> None:
    arrays = Arrays()
    check(Slice(arrays.scan("x", _numbers((7, 8), dtype), block), starts, stops), arrays)


def test_a_slice_does_not_touch_blocks_outside() -> None:
    arrays = Arrays()
    plan = Slice(arrays.scan("x", _numbers((100, 9)), (10, 3)), (43, 3), (58, 7))
    op = operator(plan, SliceBlocks)
    (rows,) = op.join(NumpyBackend(), arrays.keys("x")).rows
    assert arrays.keys("x")[rows].tolist() == [[4, 1], [4, 2], [5, 1], [5, 2]]
    (shift,) = (o for o in operators(plan) if isinstance(o, ShiftLines))
    assert (shift.axis, shift.start) == (0, 3)


@pytest.mark.parametrize("block", [1, 2, 3, 4, 5, 6, 8, 12, 24, 30])
@pytest.mark.parametrize("inner", [1, 2, 3, 4, 6, 12, 24])
def test_split_and_merge(inner: int, block: int) -> None:
    arrays = Arrays()
    x = arrays.scan("x", _numbers((3, 24, 2)), (2, block, 1))
    plan = SplitAxis(x, 1, inner)
    check(plan, arrays)
    check(MergeAxes(plan, 1), arrays)
    check(MergeAxes(x, 0), arrays)
    check(MergeAxes(x, 1), arrays)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0), (1, 1)])
def test_merge_of_nothing(shape: tuple[int, int]) -> None:
    arrays = Arrays()
    check(MergeAxes(arrays.scan("x", np.ones(shape), (2, 3)), 0), arrays)


def test_split_of_nothing() -> None:
    arrays = Arrays()
    check(SplitAxis(arrays.scan("x", np.ones((0, 2)), (4, 2)), 0, 2), arrays)


def test_splitting_and_merging_move_no_element() -> None:
    arrays = Arrays()
    x = arrays.scan("x", _numbers((8, 6)), (4, 6))
    for plan, kind in ((SplitAxis(x, 0, 2), SplitAxisView), (MergeAxes(x, 0), MergeAxesView)):
        op = operator(plan, kind)
        assert op.is_view
        blocks = arrays.blocks["x"]
        joined = op.join(NumpyBackend(), arrays.keys("x"))
        ctx = Context(NumpyBackend(), NO_SOURCE, {})
        assert np.shares_memory(op.run(ctx, joined, blocks), blocks)


def test_named_extents_are_one_block() -> None:
    arrays = Arrays()
    x = Input(TensorSchema("x", ("tokens", 4), ("tokens", 4)))
    values = _numbers((3, 4))
    ready = prepared(Transpose(x, (1, 0)), arrays)
    found = blocks_of(ready, {"x": values}, {"tokens": 3})
    np.testing.assert_array_equal(found, values.T[None])
    assert blocks_of(ready, {"x": values[:0]}, {"tokens": 0}).shape == (1, 4, 0)
    assert lower(Transpose(x, (1, 0))).out.shape == (4, "tokens")
