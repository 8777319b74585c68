"""Groups of blocks: padding takes no part, blocks that are not stored are zeros."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from gpudb.exec import chunks
from gpudb.exec.operators.aggregate_count import AggregateCount
from gpudb.exec.operators.aggregate_extreme import AggregateExtreme
from gpudb.exec.operators.aggregate_sum import AggregateSum
from gpudb.plan.relational import AGGREGATES, Aggregate
from gpudb.plan.tensor import Map
from tests.exec.operators.checks import check, operator, sources
from tests.tiny_plans import Arrays, prepared

KEPT = [keep for n in range(5) for keep in combinations(range(4), n)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fn", [fn for fn in AGGREGATES if fn != "argmax"])
def test_aggregate(fn: str, dtype: str) -> None:
    for arrays, x, s in sources(dtype):
        for keep in KEPT:
            if all(axis < s.ndim for axis in keep):
                check(Aggregate(x, keep, fn), arrays)
                check(Aggregate(Map(x, "exp"), keep, fn), arrays)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_argmax(dtype: str) -> None:
    for arrays, x, s in sources(dtype):
        for axis in range(s.ndim):
            keep = tuple(a for a in range(s.ndim) if a != axis)
            assert check(Aggregate(x, keep, "argmax"), arrays).dtype == np.int64


def _column(values: list[float], block: int, sparse: bool = True) -> tuple[Arrays, Map]:
    arrays = Arrays()
    return arrays, arrays.scan("x", np.array(values), (block,), sparse=sparse)


COLUMNS: list[tuple[list[float], dict[str, list[float]]]] = [
    # Blocks (-2, -1), one that is not stored, and (-4, padding).
    (
        [-2, -1, 0, 0, -4],
        {"max": [0, 0], "min": [-4, -1], "sum": [-6, -1], "mean": [-2, -0.5], "count": [3, 2],
         "argmax": [1, 1]},
    ),
    ([-2, -1, -4], {"max": [-2, -1], "min": [-4, -1], "mean": [-3, -1], "argmax": [0, 0]}),
    ([-2, -1, -4, -5], {"max": [-2, -1], "min": [-4, -5], "count": [2, 2], "argmax": [0, 0]}),
    ([-2], {"max": [-2], "min": [-2], "sum": [-2], "mean": [-2], "count": [1], "argmax": [0]}),
]  # fmt: skip


@pytest.mark.parametrize(("values", "results"), COLUMNS, ids=str)
def test_padding_takes_no_part_and_missing_blocks_do(
    values: list[float], results: dict[str, list[float]]
) -> None:
    for fn, expected in results.items():
        arrays, x = _column([float(v) for v in values], 2)
        assert check(Aggregate(x, (), fn), arrays).tolist() == expected


@pytest.mark.parametrize("fn", AGGREGATES)
def test_nan_and_infinity(fn: str) -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.array([[1.0, np.nan], [np.inf, 2], [-np.inf, 3], [5, -0.0]]), (1, 1))
    with np.errstate(invalid="ignore"):
        check(Aggregate(x, (1,), fn), arrays)
        check(Aggregate(x, (0,), fn), arrays)


def test_argmax_takes_the_first_of_equals() -> None:
    arrays, x = _column([1.0, 3, 3, 2, 3], 1)
    assert check(Aggregate(x, (), "argmax"), arrays).tolist() == [1]


@pytest.mark.parametrize("fn", AGGREGATES)
def test_a_group_without_elements_gives_zero(fn: str) -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.zeros((0, 3)), (1, 2))
    assert check(Aggregate(x, (1,), fn), arrays).tolist() == [0, 0, 0]


def test_a_group_without_blocks_stays_missing() -> None:
    arrays = Arrays()
    values = np.zeros((4, 4))
    values[:2, 2:] = 1
    x = arrays.scan("x", values, (2, 2), sparse=True)
    for fn in ("sum", "mean"):
        _, joined = operator(prepared(Aggregate(x, (1,), fn), arrays), AggregateSum)
        np.testing.assert_array_equal(joined.keys, [[0, 1]])


@pytest.mark.parametrize("nbytes", [1, 100, 300])
def test_parts_give_the_same(monkeypatch: pytest.MonkeyPatch, nbytes: int) -> None:
    monkeypatch.setattr(chunks, "SCRATCH_NBYTES", nbytes)
    for arrays, x, s in sources():
        check(Aggregate(x, tuple(range(s.ndim))[1:], "mean"), arrays)
        check(Aggregate(x, (0,), "sum"), arrays)


def test_a_long_sum_of_floats() -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.full(20_000, 0.1, np.float32) + 100, (1,))
    # One after the other: at worst n/2 roundings, in practice about √n of them.
    check(Aggregate(x, (), "mean"), arrays, relative=1e-4)


def test_what_explain_says() -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.ones((4, 4)), (2, 2))
    for fn, kind in (("mean", AggregateSum), ("count", AggregateCount), ("min", AggregateExtreme)):
        op, _ = operator(prepared(Aggregate(x, (1,), fn), arrays), kind)
        assert op.detail() == f"{fn} over keys [0]"
