"""What runs record: seconds, operations and bytes of every step, summed over runs and threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gpudb.exec.operator import Cost
from gpudb.exec.prepared import PreparedPlan
from gpudb.exec.profile import Profile
from gpudb.plan.rules import NEEDED
from gpudb.plan.tensor import Map, Matmul
from tests.tiny_plans import Arrays, bert_encoder, prepared


def product_plan() -> PreparedPlan:
    """``exp(a @ b)``, 4×3 by 3×5, in float64."""
    arrays = Arrays()
    a, b = arrays.scan("a", np.ones((4, 3))), arrays.scan("b", np.ones((3, 5)))
    return prepared(Map(Matmul(a, b), "exp"), arrays, NEEDED)


def test_nothing_has_run() -> None:
    profile = Profile()
    assert (profile.runs, profile.seconds, profile.costs) == ([], [], [])
    assert profile.flops == profile.peak_nbytes == 0
    assert profile.rows(product_plan().steps[-1]) == 0


@pytest.mark.parametrize("runs", [1, 3])
def test_costs_are_those_of_the_formulas(runs: int) -> None:
    plan, profile = product_plan(), Profile()
    for _ in range(runs):
        plan.run({}, {}, profile)
    product, exp = profile.costs[-2:]
    assert product.flops == runs * 2 * 4 * 3 * 5
    assert product.read == runs * 8 * (4 * 3 + 3 * 5)
    assert product.written == runs * 8 * 4 * 5
    assert (exp.flops, exp.read, exp.written) == (runs * 20, runs * 160, runs * 160)
    assert profile.flops == product.flops + exp.flops
    assert profile.rows(plan.steps[-1]) == runs * 4
    assert profile.runs == [{}] * runs


def test_runs_that_are_counted_are_like_runs_that_ran() -> None:
    encoder = bert_encoder([3, 2])
    plan = prepared(encoder.plan, encoder.arrays)
    ran, counted, mixed = Profile(), Profile(), Profile()
    for _ in range(3):
        plan.run(encoder.inputs, encoder.sizes, ran)
    counted.count([encoder.sizes] * 3, plan.counting)
    plan.run(encoder.inputs, encoder.sizes, mixed)
    mixed.count([encoder.sizes] * 2, plan.counting)
    for profile in (counted, mixed):
        assert (profile.flops, profile.peak_nbytes) == (ran.flops, ran.peak_nbytes)
        for _ in range(2):  # step by step, once it is asked for
            assert (profile.costs, profile.runs) == (ran.costs, ran.runs)
        assert (profile.flops, profile.peak_nbytes) == (ran.flops, ran.peak_nbytes)
    assert counted.seconds == [0.0] * len(plan.steps)


def test_only_steps_that_run_take_time() -> None:
    plan, profile = product_plan(), Profile()
    plan.run({}, {}, profile)
    assert len(profile.seconds) == len(profile.costs) == len(plan.steps)
    for step, seconds, cost in zip(plan.steps, profile.seconds, profile.costs, strict=True):
        assert (seconds == 0) == step.constant
        assert (cost == Cost()) == step.constant


def test_rows_of_a_named_extent_are_those_of_every_batch() -> None:
    profile = Profile()
    tokens = 0
    for lengths in ([3, 2], [], [7], [0, 1]):
        encoder = bert_encoder(lengths)
        plan = prepared(encoder.plan, encoder.arrays)
        plan.run(encoder.inputs, encoder.sizes, profile)
        tokens += sum(lengths)
    assert profile.rows(plan.steps[-1]) == tokens == 13
    assert [sizes["tokens"] for sizes in profile.runs] == [5, 0, 7, 1]


def test_costs_of_batches_are_summed_but_what_is_held_is_the_most() -> None:
    together, peaks, flops = Profile(), [], 0
    for lengths in ([3, 2], [9, 4], [1]):
        encoder = bert_encoder(lengths)
        plan, alone = prepared(encoder.plan, encoder.arrays), Profile()
        for profile in (together, alone):
            plan.run(encoder.inputs, encoder.sizes, profile)
        peaks.append(alone.peak_nbytes)
        flops += alone.flops
        for cost, one in zip(together.costs, alone.costs, strict=True):
            assert cost.scratch >= one.scratch
    assert together.flops == flops
    assert together.peak_nbytes == max(peaks) == peaks[1] > max(peaks[0], peaks[2])


def test_threads_lose_no_run() -> None:
    plan, profile = product_plan(), Profile()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: plan.run({}, {}, profile), range(200)))
    assert len(profile.runs) == 200
    assert profile.flops == 200 * (2 * 4 * 3 * 5 + 20)
    assert profile.rows(plan.steps[-1]) == 800


def test_a_run_without_a_profile_gives_the_same() -> None:
    plan = product_plan()
    np.testing.assert_array_equal(plan.run({}, {}).data, plan.run({}, {}, Profile()).data)


@pytest.mark.parametrize("present", [0, 1, 3, 4])
def test_what_is_missing_is_not_counted(present: int) -> None:
    arrays = Arrays()
    x, y = np.ones((2, 8, 8))
    x[2 * present :] = 0
    scans = [arrays.scan(n, v, (2, 2), sparse=True) for n, v in (("x", x), ("y", y))]
    plan, profile = prepared(Matmul(*scans), arrays, NEEDED), Profile()
    plan.run({}, {}, profile)
    assert profile.flops == 2 * 8 * 8 * 2 * present  # rows that are there
    assert profile.costs[-1].written == 8 * 8 * 2 * present
