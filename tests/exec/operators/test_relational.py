"""Filters, projections and other keys: blocks are chosen and moved, never changed."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from gpudb.exec.operators.choose_blocks import FilterBlocks, ProjectBlocks, RekeyBlocks
from gpudb.exec.operators.scan_blocks import ScanBlocks
from gpudb.keys import KeyTests
from gpudb.plan.relational import FilterKeys, Project, Rekey
from gpudb.plan.tensor import Map, Scan, Zip
from tests.exec.operators.checks import check, operator, sources
from tests.tiny_plans import Arrays, prepared

TESTS: list[KeyTests] = [
    ((0, "=", 0),),
    ((0, "!=", 0),),
    ((0, ">", 0), (0, "<=", 2)),
    ((0, "in", (0, 2, 7)),),
    ((0, "in", ()),),
    ((0, "<", -1),),
    ((0, ">=", "i0"),),
]


@pytest.mark.parametrize("tests", TESTS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_filter_keys(tests: KeyTests, dtype: str) -> None:
    for arrays, x, s in sources(dtype):
        check(FilterKeys(x, tests), arrays)
        if s.ndim > 1:
            check(FilterKeys(x, (*tests, (s.ndim - 1, "<=", "i0"))), arrays)


def test_blocks_that_fail_are_not_read() -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.arange(12.0).reshape(6, 2), (1, 2))
    ready = prepared(FilterKeys(FilterKeys(x, ((0, ">", 1),)), ((0, "<", 4),)), arrays)
    assert len(ready.steps) == 1
    _, joined = operator(ready, ScanBlocks)
    np.testing.assert_array_equal(joined.keys[:, 0], [2, 3])


def test_filter_keys_between_steps() -> None:
    for arrays, x, s in sources():
        tests = ((s.ndim - 1, "!=", 1),)
        check(Map(FilterKeys(Map(x, "exp"), tests), "exp"), arrays)


def test_panels_stay_panels_where_keys_are_looked_at() -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.arange(1.0, 13).reshape(6, 2), (2, 2))
    found = check(FilterKeys(Map(x, "negative"), ((0, "=", 1),)), arrays)
    assert found.any(axis=1).tolist() == [False, False, True, True, False, False]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_project(dtype: str) -> None:
    for arrays, x, s in sources(dtype):
        for axis in range(s.ndim):
            for number in range(s.grid[axis]):
                check(Project(x, ((axis, number),)), arrays)
        if s.blocks:
            every = tuple((axis, n - 1) for axis, n in enumerate(s.grid))
            check(Project(x, every), arrays)
            check(Project(x, tuple(reversed(every))), arrays)
        check(Project(x, ()), arrays)


def test_rekey() -> None:
    for arrays, x, s in sources("int32"):
        for order in permutations(range(s.ndim)):
            check(Rekey(x, tuple((axis, 1, 0) for axis in order)), arrays)
            shifted = tuple((axis, 2, 1) for axis in order)
            check(Rekey(x, shifted), arrays)
            if s.blocks:
                mirrored = tuple((axis, -1, s.grid[axis] - 1) for axis in order)
                check(Rekey(x, mirrored), arrays)


def test_padding_becomes_zeros_inside() -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.arange(1.0, 6), (2,))
    found = check(Rekey(Map(x, "exp"), ((0, -1, 2),)), arrays)
    np.testing.assert_allclose(found, [*np.exp([5]), 0, *np.exp([3, 4, 1, 2])])


def test_nothing_is_copied_where_nothing_moves() -> None:
    arrays = Arrays()
    x = Map(arrays.scan("x", np.ones((4, 4)), (2, 2)), "exp")
    row = Map(arrays.scan("row", np.ones((2, 4)), (2, 2)), "exp")
    for plan, kind in (
        (FilterKeys(x, ((0, ">=", 0),)), FilterBlocks),
        (Rekey(x, ((0, 1, 1), (1, 2, 0))), RekeyBlocks),
        (Project(row, ((0, 0),)), ProjectBlocks),
    ):
        _, joined = operator(prepared(plan, arrays), kind)
        assert joined.rows == ()


def test_what_explain_says() -> None:
    arrays = Arrays()
    x = Map(arrays.scan("x", np.ones((4, 4)), (2, 2)), "exp")
    for plan, kind, text in (
        (FilterKeys(x, ((0, ">=", 1), (1, "in", (0,)))), FilterBlocks, "where i0 >= 1 and i1 in"),
        (Rekey(x, ((1, 1, 1), (0, -2, 2))), RekeyBlocks, "i1 + 1, -2·i0 + 2"),
        (Project(x, ((1, 1),)), ProjectBlocks, "i1 = 1"),
    ):
        op, _ = operator(prepared(plan, arrays), kind)
        assert text in op.detail()


def test_a_shared_scan_is_read_whole_beside_a_filter_of_it() -> None:
    arrays = Arrays()
    x: Scan = arrays.scan("x", np.arange(6.0), (2,))
    check(Zip(FilterKeys(x, ((0, "=", 1),)), x, "add"), arrays)
