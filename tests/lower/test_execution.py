"""Fused or relational: what was asked for, or what is expected to take less time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from gpudb.exec.parallel import blas_threads, single_threaded_blas
from gpudb.lower import execution
from gpudb.lower.execution import FORMS, choose_execution, estimated_seconds
from gpudb.plan.node import Node
from gpudb.plan.rules import RELATIONAL, RULES, Rule
from gpudb.plan.tensor import Map, Matmul, Zip
from gpudb.types import HostArray
from tests.tiny_plans import Arrays, compute

SIDE = 256


class Unread(Arrays):
    """Arrays whose blocks nobody may read: an estimate looks at keys only."""

    def runs(self, name: str, rows: HostArray) -> list[HostArray]:
        raise AssertionError(f"blocks of {name} were read")


def product(arrays: Arrays, block: tuple[int, int], present: int) -> Node:
    """A square product; only the first rows of the left side are not zero."""
    random = np.random.default_rng(0)
    x, y = random.standard_normal((2, SIDE, SIDE))
    x[present:] = 0
    return Matmul(arrays.scan("x", x, block, sparse=True), arrays.scan("y", y, block))


@pytest.mark.parametrize("execution", FORMS)
@pytest.mark.parametrize("present", [0, 16, SIDE])
def test_what_is_asked_for_is_taken(execution: str, present: int) -> None:
    arrays = Arrays()
    choice = choose_execution(product(arrays, (16, SIDE), present), arrays, execution)
    assert choice.execution == execution
    assert choice.reason == f"execution is set to {execution}"
    assert choice.rules == FORMS[execution]


def test_dense_panels_are_multiplied_as_one_matrix() -> None:
    arrays = Arrays()
    choice = choose_execution(product(arrays, (16, SIDE), SIDE), arrays, "auto")
    assert (choice.execution, choice.rules) == ("fused", RULES)
    assert choice.reason.startswith("estimated fused ")
    assert "relational" in choice.reason


@pytest.mark.parametrize("present", [0, 16])
def test_panels_that_are_mostly_missing_are_joined(present: int) -> None:
    arrays = Arrays()
    plan = product(arrays, (16, SIDE), present)
    choice = choose_execution(plan, arrays, "auto")
    assert (choice.execution, choice.rules) == ("relational", RELATIONAL)
    found = compute(plan, arrays, choice.rules)
    np.testing.assert_allclose(found, arrays.dense["x"] @ arrays.dense["y"], atol=1e-11)


def test_a_tie_is_fused() -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.ones((7, 5)))
    plan = Zip(Map(x, "exp"), Map(x, "tanh"), "add")
    estimates = [estimated_seconds(plan, arrays, rules) for rules in FORMS.values()]
    assert estimates[0] == estimates[1] > 0
    assert choose_execution(plan, arrays, "auto").execution == "fused"


def test_more_blocks_take_longer_in_joins_only() -> None:
    seconds: dict[str, list[float]] = {form: [] for form in FORMS}
    for present in (0, 16, 64, SIDE):
        arrays = Arrays()
        plan = product(arrays, (16, SIDE), present)
        for form, rules in FORMS.items():
            seconds[form].append(estimated_seconds(plan, arrays, rules))
    assert seconds["relational"] == sorted(set(seconds["relational"]))
    assert len(set(seconds["fused"])) == 1


def test_small_blocks_take_longer_than_large_ones() -> None:
    estimates = []
    for block in (8, 32, 128):
        arrays = Arrays()
        plan = product(arrays, (block, block), SIDE)
        estimates.append(estimated_seconds(plan, arrays, RELATIONAL))
    assert estimates[0] > estimates[1] > estimates[2]


def test_an_estimate_reads_no_block() -> None:
    arrays = Unread()
    choose_execution(product(arrays, (16, SIDE), 16), arrays, "auto")


def half_of_the_panels(dtype: str) -> tuple[Node, Arrays]:
    """Panels of 64 rows, every other one there: on one thread, joining takes 0.8 of the time."""
    arrays = Arrays()
    x = np.ones((1024, 1024), dtype)
    x.reshape(16, 64, 1024)[::2] = 0
    left = arrays.scan("x", x, (64, 1024), sparse=True)
    return Matmul(left, arrays.scan("y", np.ones_like(x), (64, 1024))), arrays


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_half_of_the_panels_are_joined_on_one_thread(dtype: str) -> None:
    plan, arrays = half_of_the_panels(dtype)
    with single_threaded_blas():
        assert blas_threads() == 1
        assert choose_execution(plan, arrays, "auto").execution == "relational"


@pytest.mark.parametrize("rules", [RULES, RELATIONAL])
def test_more_threads_multiply_faster_and_copy_as_fast(
    rules: tuple[Rule, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, arrays = half_of_the_panels("float32")
    seconds = []
    for threads in (1, 2, 4):
        monkeypatch.setattr(execution, "blas_threads", lambda threads=threads: threads)
        seconds.append(estimated_seconds(plan, arrays, rules))
    saved = [a - b for a, b in pairwise(seconds)]
    assert saved[0] == pytest.approx(2 * saved[1])  # what is saved is FLOPs
    assert seconds[-1] > seconds[0] / 4  # bytes are moved as before
