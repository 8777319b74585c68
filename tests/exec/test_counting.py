"""Counts of many runs: those of each run by itself, whether they are linear in its sizes or not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudb.exec.counting import Counting, _Table
from gpudb.exec.operator import Cost
from gpudb.exec.prepared import PreparedPlan
from gpudb.models.batches import sizes_of_lengths
from gpudb.plan.rules import NEEDED, RULES
from gpudb.plan.tensor import Map, Matmul, Zip
from gpudb.types import Sizes
from tests.tiny_plans import Arrays, bert_encoder, prepared, torch_encoder

LENGTHS = st.lists(st.integers(0, 40), max_size=6)


@cache
def plans() -> list[PreparedPlan]:
    encoders = [bert_encoder([3]), torch_encoder([3])]
    return [prepared(e.plan, e.arrays, rules) for e in encoders for rules in (RULES, NEEDED)]


def each(plan: PreparedPlan, runs: list[Sizes]) -> tuple[int, int]:
    """Operations of all, bytes of the largest: from every step of every run."""
    flops = [cost.flops for sizes in runs for cost in plan.counting.costs(sizes)]
    return sum(flops), max((plan.peak_nbytes(sizes) for sizes in runs), default=0)


@given(lengths=st.lists(LENGTHS, max_size=5))
def test_an_encoder_is_counted_as_its_runs_are(
    lengths: list[list[int]],
) -> None:
    runs = [sizes_of_lengths(np.array(some, np.int64)) for some in lengths]
    for plan in plans():
        counting = plan.counting
        assert (counting.flops(runs), counting.peak_nbytes(runs)) == each(plan, runs)


def test_most_counts_of_an_encoder_are_linear() -> None:
    runs: list[Sizes] = [sizes_of_lengths(np.array([3, 1]))]
    for plan in plans():
        counts = plan.counting._counts(runs)
        assert counts.flops.coefficients is not None
        assert counts.results.coefficients is not None
        others = [t for t in counts.scratch.values() if t.coefficients is None]
        assert len(others) <= 1 < len(counts.scratch)  # attention works on pieces


def test_a_run_over_nothing_is_counted_too() -> None:
    for plan in plans():
        some, none = (sizes_of_lengths(np.array(n, np.int64)) for n in ([3, 1], []))
        assert plan.counting.flops([some, none]) == each(plan, [some, none])[0]
        assert plan.counting.peak_nbytes([none]) == each(plan, [none])[1] > 0


def test_counts_do_not_overflow() -> None:
    run = sizes_of_lengths(np.full(1 << 20, 512))
    counting = plans()[0].counting
    once = counting.flops([run])
    assert counting.flops([run] * 1000) == 1000 * once > 2**53


def test_what_is_not_linear_is_counted_one_by_one() -> None:
    """A product whose inner extent is a run's as well: operations go with its square."""
    squared = _SquaredCosts.of(bert_encoder([3]))
    runs: list[Sizes] = [sizes_of_lengths(np.array(some)) for some in ([3], [1, 4], [2, 2, 2])]
    assert squared.flops(runs) == sum(int(sizes["tokens"]) ** 2 for sizes in runs)
    assert squared._counts(runs).flops.coefficients is None


class _SquaredCosts(Counting):
    """Of a plan whose steps take the square of their rows in all."""

    __slots__ = ()

    @classmethod
    def of(cls, encoder: Any) -> _SquaredCosts:
        plan = prepared(encoder.plan, encoder.arrays)
        return cls(plan.steps, plan.joined)

    def costs(self, sizes: Sizes) -> list[Cost]:
        return [Cost(flops=sizes["tokens"] ** 2)]


@pytest.mark.parametrize(
    ("count", "linear"),
    [
        (lambda s: [3 * s["a"] + 5 * s["b"] + 7, 0], True),
        (lambda s: [s["a"] * s["b"]], False),
        (lambda s: [s["a"] ** 2], False),
        (lambda s: [max(1, s["a"])], True),  # without a zero
        (lambda s: [max(3, s["a"])], False),
        (lambda s: [min(1 << 20, s["a"])], False),
        (lambda s: [-(-s["a"] // 8)], False),
    ],
)
def test_whether_counts_are_linear_is_found_out(count: Any, linear: bool) -> None:
    table = _Table.of_count(count, ("a", "b"))
    assert (table.coefficients is not None) == linear
    runs = [{"a": 1, "b": 1}, {"a": 2, "b": 9}, {"a": 0, "b": 3}, {"a": 10**9, "b": 2}]
    np.testing.assert_array_equal(table.of(runs).T, [count(sizes) for sizes in runs])


def test_a_plan_without_extents_is_counted_too() -> None:
    arrays = Arrays()
    a, b = arrays.scan("a", np.ones((4, 3))), arrays.scan("b", np.ones((3, 5)))
    product = Matmul(a, b)
    plan = prepared(Zip(Map(product, "exp"), product, "add"), arrays, NEEDED)
    assert plan.counting.flops([{}, {}]) == 2 * plan.counting.flops([{}]) == each(plan, [{}, {}])[0]
    assert plan.counting.flops([]) == plan.counting.peak_nbytes([]) == 0


def test_plans_that_differ_in_their_placement_only_count_together() -> None:
    encoder = bert_encoder([3])
    plan = prepared(encoder.plan, encoder.arrays)
    assert replace(plan, placement=plan.placement).counting is plan.counting
