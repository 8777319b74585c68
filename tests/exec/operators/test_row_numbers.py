"""Gathering rows and grouping them by number: numbers are values, known when a plan runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpudb.errors import InputError
from gpudb.exec.operators.gather_rows import GatherRows
from gpudb.plan.reduce import SEGMENT_FUNCTIONS, SegmentAggregate
from gpudb.plan.rules import NEEDED, RULES
from gpudb.plan.tensor import Gather, Input
from gpudb.types import TensorSchema
from tests.exec.against_dense import check, operator, operators
from tests.tiny_plans import Arrays, blocks_of, prepared

RULE_SETS = pytest.mark.parametrize("rules", [NEEDED, RULES], ids=["needed", "all"])
TABLES: list[Any] = [
    ((7, 4), (3, 4)),
    ((7, 4), (7, 4)),
    ((7, 4), (3, 2)),
    ((7, 4), (9, 9)),
    ((5, 2, 3), (2, 2, 3)),
    ((5, 2, 3), (2, 1, 2)),
    ((6,), (4,)),
    ((1, 0, 2), (1, 1, 1)),
]


def _values(shape: tuple[int, ...], dtype: str = "float64") -> Any:
    return np.random.default_rng(5).standard_normal(shape).astype(dtype)


def _column(arrays: Arrays, numbers: Any, block: int = 3, name: str = "numbers") -> Any:
    return arrays.scan(name, np.array(numbers, np.int32), (block,))


@RULE_SETS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [[], [0], [3, 0, 0], [0, 4, 3, 2, 1, 0, 4]])
@pytest.mark.parametrize("block", [1, 3, 10])
@pytest.mark.parametrize(("shape", "table_block"), TABLES)
def test_gather(
    shape: Any, table_block: Any, block: int, rows: list[int], dtype: str, rules: Any
) -> None:
    arrays = Arrays()
    table = arrays.scan("t", _values(shape, dtype), table_block)
    numbers = _column(arrays, [n % shape[0] for n in rows], block)
    check(Gather(table, numbers), arrays, rules)


def test_whole_numbers_can_be_gathered() -> None:
    arrays = Arrays()
    table = arrays.scan("t", np.arange(12).reshape(6, 2), (4, 2))
    assert check(Gather(table, _column(arrays, [5, 0])), arrays).dtype == np.int64


@pytest.mark.parametrize(("block", "cut_again"), [((3, 4), False), ((3, 2), True)])
def test_only_tables_that_are_no_panels_are_cut_again(block: Any, cut_again: bool) -> None:
    arrays = Arrays()
    plan = Gather(arrays.scan("t", _values((7, 4)), block), _column(arrays, [1]))
    names = [type(op).__name__ for op in operators(plan)]
    assert ("ReblockGrid" in names) == cut_again
    assert operator(plan, GatherRows).detail() == "from 3 row panels"


def test_missing_panels_and_numbers_are_zeros() -> None:
    arrays = Arrays()
    x = _values((6, 2))
    x[2:4] = 0
    table = arrays.scan("t", x, (2, 2), sparse=True)
    rows = arrays.scan("r", np.array([3, 5, 0, 0, 1, 2]), (2,), sparse=True)
    check(Gather(table, rows), arrays, NEEDED)


@pytest.mark.parametrize("bad", [7, -1, 2**30])
@pytest.mark.parametrize("block", [3, 7])
def test_a_row_that_is_not_there_is_named(block: int, bad: int) -> None:
    arrays = Arrays()
    table = arrays.scan("t", _values((7, 4)), (block, 4))
    plan = Gather(table, _column(arrays, [1, 2, 6, bad, 0]))
    with pytest.raises(InputError, match=rf"numbers: {bad} at position 3 .*7 rows of t.*0 to 6"):
        prepared(plan, arrays).run({}, {})


def test_an_empty_table_has_no_rows() -> None:
    arrays = Arrays()
    table = arrays.scan("t", np.zeros((0, 4)), (2, 4))
    assert prepared(Gather(table, _column(arrays, [])), arrays).run({}, {}).data.size == 0
    with pytest.raises(InputError, match=r"0 at position 0 is not one of the 0 rows"):
        prepared(Gather(table, _column(arrays, [0])), arrays).run({}, {})


@pytest.mark.parametrize("tokens", [0, 1, 4])
def test_gather_for_a_named_number_of_rows(tokens: int) -> None:
    arrays = Arrays()
    values = _values((5, 3))
    rows = np.arange(tokens, dtype=np.int32)
    ids = Input(TensorSchema("ids", ("tokens",), ("tokens",), "int32"))
    plan = Gather(arrays.scan("t", values, (2, 3)), ids)
    found = blocks_of(prepared(plan, arrays, NEEDED), {"ids": rows}, {"tokens": tokens})
    np.testing.assert_array_equal(found, values[rows][None])


SEGMENTS = [[], [0], [2, 0, 2, 1, 2], [4, 4, 4, 4, 4, 4, 4], [1, 3, 1, 0, 0, 3, 1, 4, 1]]


@RULE_SETS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fn", SEGMENT_FUNCTIONS)
@pytest.mark.parametrize("block", [(1, 1), (2, 3), (3, 4), (10, 10)], ids=str)
@pytest.mark.parametrize("numbers", SEGMENTS, ids=len)
def test_segments(numbers: list[int], block: Any, fn: str, dtype: str, rules: Any) -> None:
    arrays = Arrays()
    x = arrays.scan("x", _values((len(numbers), 4), dtype), block)
    check(SegmentAggregate(x, _column(arrays, numbers, 4), 5, fn), arrays, rules)


@pytest.mark.parametrize("fn", SEGMENT_FUNCTIONS)
@pytest.mark.parametrize("shape", [(6,), (6, 2, 3), (6, 0)])
def test_segments_of_any_rank(shape: Any, fn: str) -> None:
    arrays = Arrays()
    x = arrays.scan("x", _values(shape), (4, 1, 2)[: len(shape)])
    check(SegmentAggregate(x, _column(arrays, [1, 0, 1, 1, 2, 0]), 4, fn), arrays)


@pytest.mark.parametrize("fn", SEGMENT_FUNCTIONS)
def test_nan_and_infinity_stay_in_their_segment(fn: str) -> None:
    x = np.array([[np.nan, 1], [2, np.inf], [3, -np.inf], [4, 5], [-0.0, 6]])
    arrays = Arrays()
    scan = arrays.scan("x", x, (2, 1))
    check(SegmentAggregate(scan, _column(arrays, [0, 1, 1, 2, 2]), 3, fn), arrays)


@pytest.mark.parametrize("fn", SEGMENT_FUNCTIONS)
def test_missing_rows_count_as_zeros(fn: str) -> None:
    x = -np.ones((6, 4))
    x[2:4, :2] = 0
    arrays = Arrays()
    scan = arrays.scan("x", x, (2, 2), sparse=True)
    check(SegmentAggregate(scan, _column(arrays, [0, 0, 1, 0, 1, 1]), 2, fn), arrays)


@pytest.mark.parametrize("fn", SEGMENT_FUNCTIONS)
@pytest.mark.parametrize("bad", [3, -1])
def test_a_segment_that_is_not_there_is_named(bad: int, fn: str) -> None:
    arrays = Arrays()
    plan = SegmentAggregate(
        arrays.scan("x", _values((4, 2)), (3, 2)), _column(arrays, [0, 2, bad, 1]), 3, fn
    )
    with pytest.raises(InputError, match=rf"numbers: {bad} at position 2 .* 3 segments.*0 to 2"):
        prepared(plan, arrays).run({}, {})


def test_sums_of_segments_are_the_same_every_time() -> None:
    random = np.random.default_rng(0)
    x, numbers = random.standard_normal((500, 3)).astype(np.float32), random.integers(0, 7, 500)
    arrays = Arrays()
    plan = SegmentAggregate(arrays.scan("x", x, (9, 2)), _column(arrays, numbers), 7, "sum")
    ready = prepared(plan, arrays)
    first, second = blocks_of(ready), blocks_of(ready)
    np.testing.assert_array_equal(first, second)
