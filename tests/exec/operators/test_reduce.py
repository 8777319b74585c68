"""Reductions along an axis: fused where it lies in one block, two-level where it is cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numbers

from gpudb.backend import NumpyBackend
from gpudb.errors import InputError
from gpudb.exec.operators.reduce_axis import CountAxis, ReduceAxis
from gpudb.exec.operators.reduce_cut_axis import ReduceCutAxis
from gpudb.plan.reduce import REDUCTIONS, Reduce
from gpudb.plan.tensor import Input
from gpudb.types import TensorSchema
from tests.exec.against_dense import check, operator
from tests.tiny_plans import Arrays, blocks_of, prepared

DTYPES = ["float32", "float64"]
ODD = [np.nan, np.inf, -np.inf, -0.0]
EMPTY = ("sum", "count", "norm")


def _random(shape: tuple[int, ...], dtype: str) -> Any:
    return np.random.default_rng(3).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("block", [(1, 1, 1), (2, 3, 4), (5, 6, 7), (4, 5, 6), (9, 9, 9)], ids=str)
@pytest.mark.parametrize("fn", REDUCTIONS)
def test_any_axis_any_block(fn: str, block: Any, axis: int, dtype: str) -> None:
    arrays = Arrays()
    check(Reduce(arrays.scan("x", _random((5, 6, 7), dtype), block), axis, fn), arrays)


@pytest.mark.parametrize("block", [1, 2, 4, 5, 6])
@pytest.mark.parametrize("fn", REDUCTIONS)
def test_a_vector_becomes_one_number(fn: str, block: int) -> None:
    arrays = Arrays()
    found = check(Reduce(arrays.scan("x", _random((5,), "float64"), (block,)), 0, fn), arrays)
    assert found.shape == (1,)


@pytest.mark.parametrize("fn", REDUCTIONS)
@pytest.mark.parametrize(("shape", "axis"), [((0, 3), 0), ((0, 3), 1), ((0,), 0), ((2, 0, 3), 1)])
def test_extents_of_zero(shape: Any, axis: int, fn: str) -> None:
    if shape[axis] == 0 and fn not in EMPTY:
        return  # the node refuses it; tests/plan has the message
    arrays = Arrays()
    check(Reduce(arrays.scan("x", np.ones(shape), (2,) * len(shape)), axis, fn), arrays)


@pytest.mark.parametrize(
    ("fn", "block", "kind"),
    [
        *((fn, 8, ReduceAxis) for fn in REDUCTIONS if fn != "count"),
        *((fn, 7, ReduceCutAxis) for fn in REDUCTIONS if fn != "count"),
        ("count", 8, CountAxis),
        ("count", 7, CountAxis),
    ],
)
def test_the_planner_chooses_the_form(fn: str, block: int, kind: Any) -> None:
    arrays = Arrays()
    op = operator(Reduce(arrays.scan("x", np.ones((3, 8)), (2, block)), 1, fn), kind)
    shown = {ReduceAxis: "fused", ReduceCutAxis: "two-level over 2 blocks", CountAxis: "axis 1"}
    assert shown[kind] in op.detail()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("block", [3, 4, 12])
@pytest.mark.parametrize("fn", REDUCTIONS)
def test_nan_and_infinity_as_in_numpy(fn: str, block: int, dtype: str) -> None:
    rows = [np.linspace(-1, 1, 12) for _ in range(9)]
    for row, values in zip(rows, [[v] for v in ODD] + [[v, np.nan] for v in ODD], strict=False):
        row[5 : 5 + len(values)] = values
    rows[-1][[2, 10]] = np.inf, -np.inf
    arrays = Arrays()
    check(Reduce(arrays.scan("x", np.array(rows, dtype), (2, block)), 1, fn), arrays)


@pytest.mark.parametrize("block", [1, 2, 3, 7])
def test_argmax_is_the_first_of_equal_ones_and_nan_is_largest(block: int) -> None:
    x = np.array([[1, 5, 5, 2, 5, 0], [0] * 6, [1, np.nan, 9, 1, np.nan, 1], [-np.inf] * 6])
    arrays = Arrays()
    found = check(Reduce(arrays.scan("x", x, (2, block)), 1, "argmax"), arrays)
    assert found.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("block", [2, 3, 8])
def test_norms_do_not_overflow_before_they_must(block: int) -> None:
    x = np.array([[1e30] * 5, [1e-30] * 5, [0, 0, 3e30, 0, 4e30]], np.float32)
    arrays = Arrays()
    found = check(Reduce(arrays.scan("x", x, (2, block)), 1, "norm"), arrays)
    np.testing.assert_allclose(found, [5**0.5 * 1e30, 5**0.5 * 1e-30, 5e30], rtol=1e-6)


@pytest.mark.parametrize("block", [2, 8])
def test_a_mean_of_large_numbers_does_not_overflow(block: int) -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.full((1, 5), 3e38, np.float32), (1, block))
    np.testing.assert_allclose(check(Reduce(x, 1, "mean"), arrays), [3e38], rtol=1e-6)


@pytest.mark.parametrize("block", [100, 1000])
def test_the_variance_of_numbers_far_from_zero_does_not_cancel(block: int) -> None:
    x = (1e8 + np.random.default_rng(0).standard_normal((2, 1000))).astype(np.float64)
    arrays = Arrays()
    check(Reduce(arrays.scan("x", x, (1, block)), 1, "variance"), arrays)


@pytest.mark.parametrize("fn", REDUCTIONS)
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("block", [(2, 2), (2, 6), (6, 2)])
def test_missing_blocks_are_zeros(block: Any, axis: int, fn: str) -> None:
    x = -np.abs(_random((6, 6), "float64"))  # so that a missing zero is the largest
    x[0:4, 2:6] = 0
    x[4:, 4:] = 0
    arrays = Arrays()
    check(Reduce(arrays.scan("x", x, block, sparse=True), axis, fn), arrays)


def test_sums_do_not_ask_for_missing_blocks() -> None:
    arrays = Arrays()
    x = np.zeros((6, 6))
    x[0, 0] = 1
    for kind, block in ((ReduceAxis, 6), (ReduceCutAxis, 2)):
        scan = arrays.scan(f"x{block}", x, (2, block), sparse=True)
        plan = Reduce(scan, 1, "sum")
        check(plan, arrays)
        op = operator(plan, kind)
        assert op.takes_missing
        assert op.join(NumpyBackend(), arrays.keys(scan.tensor.name)).keys.tolist() == [[0]]


@pytest.mark.parametrize("fn", ["max", "mean", "argmax", "variance", "sum", "norm", "count"])
def test_a_named_extent_may_be_empty_in_a_run(fn: str) -> None:
    ready = prepared(Reduce(Input(TensorSchema("x", ("n", 2), ("n", 2))), 0, fn), Arrays())
    full = blocks_of(ready, {"x": np.array([[1.0, 2], [3, 4]], np.float32)}, {"n": 2})
    assert full.shape == (1, 2)
    empty = {"x": np.zeros((0, 2), np.float32)}
    if fn in EMPTY:
        assert blocks_of(ready, empty, {"n": 0}).tolist() == [[0, 0]]
    else:
        with pytest.raises(InputError, match=rf"{fn} along axis 0 of x.*empty"):
            ready.run(empty, {"n": 0})


@settings(max_examples=150)
@given(
    numbers.arrays(np.float64, (3, 11), elements=st.floats(-1e3, 1e3, width=32)),
    st.sampled_from(REDUCTIONS),
    st.integers(1, 10),
)
def test_both_forms_agree(x: Any, fn: str, block: int) -> None:
    arrays = Arrays()
    cut = check(Reduce(arrays.scan("cut", x, (2, block)), 1, fn), arrays)
    whole = check(Reduce(arrays.scan("whole", x, (2, 11)), 1, fn), arrays)
    # 1e-16 of sums of squares up to 1e7.
    np.testing.assert_allclose(cut, whole, rtol=1e-9, atol=1e-8)
