"""Prepared plans: order, constants, reuse, threads, and what a run records."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from gpudb.backend import NullBackend, NumpyBackend
from gpudb.exec.prepared import PreparedPlan, prepare
from gpudb.exec.profile import Profile
from gpudb.lower import lower
from gpudb.plan.rules import NEEDED, RULES, optimize
from gpudb.plan.tensor import Map, Matmul, Zip
from tests.tiny_plans import (
    Arrays,
    Encoder,
    bert_encoder,
    compute,
    prepared,
    sizes_of,
    torch_encoder,
)

PLANS = [RULES, NEEDED]


def run(plan: PreparedPlan, encoder: Encoder, profile: Profile | None = None) -> Any:
    return plan.run(encoder.inputs, encoder.sizes, profile).data


@pytest.mark.parametrize("rules", PLANS, ids=["all rules", "needed rules"])
def test_steps_read_what_came_before_and_free_each_result_once(rules: Any) -> None:
    encoder = bert_encoder([3, 2], block=(3, 5))
    steps = prepared(encoder.plan, encoder.arrays, rules).steps
    freed: set[int] = set()
    for number, step in enumerate(steps):
        assert all(i < number for i in step.inputs)
        assert not freed & set(step.inputs)
        assert not freed & set(step.frees)
        freed |= set(step.frees)
    used = {i for step in steps for i in step.inputs}
    assert freed <= used
    assert len(steps) - 1 not in freed


def test_stored_tensors_are_read_when_the_plan_is_prepared_and_never_again() -> None:
    encoder = bert_encoder([3, 2])
    loaded: list[str] = []

    class Counted:
        """The arrays, and the names of what was read."""

        def keys(self, name: str) -> Any:
            return encoder.arrays.keys(name)

        def runs(self, name: str, rows: Any) -> Any:
            loaded.append(name)
            return encoder.arrays.runs(name, rows)

        def read(self, name: str, rows: Any) -> Any:
            loaded.append(name)
            return encoder.arrays.read(name, rows)

    plan = prepare(lower(optimize(encoder.plan)), NumpyBackend(), Counted())
    assert sorted(loaded) == sorted(encoder.arrays.dense)  # each once
    loaded.clear()
    first, again = run(plan, encoder), run(plan, encoder)
    assert loaded == []
    np.testing.assert_array_equal(first, again)


def test_one_plan_runs_batches_of_any_size() -> None:
    whole = bert_encoder([4, 1, 7])
    plan = prepared(whole.plan, whole.arrays)
    dense = run(plan, whole)[0]
    start = 0
    for length in (4, 1, 7):
        part = slice(start, start + length)
        offsets = np.array([0, length], np.int32)
        inputs = {n: x[part] for n, x in whole.inputs.items() if n != "sequences"}
        alone = plan.run({**inputs, "sequences": offsets}, sizes_of(offsets)).data[0]
        np.testing.assert_allclose(alone, dense[part], atol=1e-6)
        start += length


def test_threads_share_a_plan() -> None:
    encoder = bert_encoder([3, 5, 2])
    plan = prepared(encoder.plan, encoder.arrays)
    expected, profile = run(plan, encoder), Profile()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: run(plan, encoder, profile), range(32)))
    for result in results:
        np.testing.assert_array_equal(result, expected)
    assert len(profile.runs) == 32


@pytest.mark.parametrize("block", [None, (3, 5)], ids=str)
@pytest.mark.parametrize("rules", PLANS, ids=["all rules", "needed rules"])
@pytest.mark.parametrize("make", [bert_encoder, torch_encoder])
def test_the_null_backend_has_the_shapes_of_numpy(make: Any, rules: Any, block: Any) -> None:
    encoder = make([3, 0, 2], block=block)
    real = prepared(encoder.plan, encoder.arrays, rules)
    ghost = prepared(encoder.plan, encoder.arrays, rules, NullBackend())
    found, expected = run(ghost, encoder), run(real, encoder)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    assert ghost.peak_nbytes(encoder.sizes) == real.peak_nbytes(encoder.sizes)
    assert ghost.resident_nbytes == real.resident_nbytes


def test_no_tokens_give_no_rows() -> None:
    for lengths in ([], [0], [0, 0, 0]):
        encoder = bert_encoder(lengths)
        assert run(prepared(encoder.plan, encoder.arrays), encoder).shape == (1, 0, 8)


def test_a_plan_of_stored_tensors_only() -> None:
    arrays = Arrays()
    a = arrays.scan("a", np.arange(12.0).reshape(4, 3), (3, 2))
    np.testing.assert_array_equal(compute(a, arrays, NEEDED), np.arange(12.0).reshape(4, 3))


def test_a_profile_counts_rows_operations_and_bytes() -> None:
    arrays = Arrays()
    a, b = arrays.scan("a", np.ones((4, 3))), arrays.scan("b", np.ones((3, 5)))
    plan = prepared(Map(Matmul(a, b), "exp"), arrays, NEEDED)
    profile = Profile()
    for _ in range(3):
        plan.run({}, {}, profile)
    product = next(s for s in plan.steps if "Gemm" in type(s.op).__name__)
    number = plan.steps.index(product)
    assert profile.rows(product) == 3 * 4
    cost = profile.costs[number]
    assert cost.flops == 3 * 2 * 4 * 3 * 5
    assert cost.read == 3 * 8 * (4 * 3 + 3 * 5)
    assert cost.written == 3 * 8 * 4 * 5
    assert len(profile.seconds) == len(plan.steps)
    assert all(s >= 0 for s in profile.seconds)


def test_a_shared_step_runs_once() -> None:
    arrays = Arrays()
    a = arrays.scan("a", np.ones((4, 4)))
    shared = Matmul(a, a)
    plan = prepared(Zip(Map(shared, "exp"), Map(shared, "tanh"), "add"), arrays, NEEDED)
    assert sum("Gemm" in type(s.op).__name__ for s in plan.steps) == 1
