"""Threads that work on one operator together: the bits of one thread, whatever happens inside."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from gpudb.backend import open_backend
from gpudb.backend.jit import team
from gpudb.backend.jit.backend import JitBackend
from gpudb.backend.jit.board import CLOSED, MOST, NEXT
from gpudb.backend.jit.compiled.tile import COLUMNS
from gpudb.backend.jit.target import TARGET
from gpudb.kernels.attention import attention
from gpudb.kernels.residual_layer_norm import residual_layer_norm
from gpudb.types import HostArray
from tests.backend.jit.factors import SHAPES, numbers
from tests.tiny_plans import offsets_of

PATIENCE = 120
"""Seconds until what should have come is an error."""
HAS = {"float32": True, "bfloat16": TARGET.bfloat16, "int8": TARGET.int8}
PRECISIONS = [
    pytest.param(name, marks=pytest.mark.skipif(not has, reason=f"{TARGET.name} has no {name}"))
    for name, has in HAS.items()
]


def product(backend: JitBackend, seed: int, columns: int = 9 * COLUMNS + 5) -> HostArray:
    x, w, bias = numbers(31, 70, seed=seed), numbers(columns, 70, seed=1), numbers(columns, seed=2)
    return backend.linear(x, backend.pack(w), bias, "gelu")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_product_has_the_bits_of_one_thread(threads: int, precision: str) -> None:
    backend = open_backend("jit", precision=precision)
    for rows, inner, columns in SHAPES[::3]:
        x, weight = numbers(rows, inner), backend.pack(numbers(columns, inner, seed=1))
        bias = numbers(columns, seed=2)
        alone = backend.linear(x, weight, bias, "gelu")
        with backend.together(threads):
            found = backend.linear(x, weight, bias, "gelu")
        np.testing.assert_array_equal(found, alone)


@pytest.mark.parametrize("heads", [1, 2, 12])
@pytest.mark.parametrize("threads", [2, 5])
def test_attention_has_the_bits_of_one_thread(threads: int, heads: int) -> None:
    backend, offsets = JitBackend(), offsets_of([3, 0, 40, 1])
    q, k, v = np.split(numbers(44, 3 * heads * 5), 3, axis=1)
    alone = backend.call(attention, q, k, v, offsets, heads, 0.4)
    with backend.together(threads):
        found = backend.call(attention, q, k, v, offsets, heads, 0.4)
    np.testing.assert_array_equal(found, alone)


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 41])
@pytest.mark.parametrize("threads", [2, 5])
def test_norms_have_the_bits_of_one_thread(threads: int, rows: int) -> None:
    backend = JitBackend()
    x, residual = numbers(rows, 37), numbers(rows, 37, seed=1)
    bias, gamma, beta = numbers(3, 37, seed=2)
    args = (x, bias, residual, gamma, beta, 1e-5)
    alone = backend.call(residual_layer_norm, *args)
    with backend.together(threads):
        np.testing.assert_array_equal(backend.call(residual_layer_norm, *args), alone)


def test_many_jobs_of_one_team() -> None:
    backend = JitBackend()
    expected = [product(backend, seed) for seed in range(5)]
    with backend.together(3):
        for number in range(300):
            np.testing.assert_array_equal(product(backend, number % 5), expected[number % 5])


def test_teams_of_several_threads_do_not_meet() -> None:
    backend = JitBackend()
    expected = [product(backend, seed) for seed in range(4)]

    def work(seed: int) -> list[HostArray]:
        with backend.together(2):
            return [product(backend, seed) for _ in range(30)]

    with ThreadPoolExecutor(4) as pool:
        for seed, found in enumerate(pool.map(work, range(4))):
            for each in found:
                np.testing.assert_array_equal(each, expected[seed])


@pytest.fixture(autouse=True)
def no_teams() -> None:
    """No helper is there from before."""
    team._here.teams.clear()


@pytest.fixture
def helpers(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadPoolExecutor]:
    """Two helpers, and no more."""
    with ThreadPoolExecutor(2) as pool:
        monkeypatch.setattr(team, "_helpers", lambda: pool)
        yield pool


def all_are_free(helpers: ThreadPoolExecutor) -> bool:
    """Both meet: neither looks at a board any more.

    A helper lets others go first before each of its last looks, so on a busy machine it is there
    for seconds.
    """
    meeting = Barrier(3)
    for _ in range(2):
        helpers.submit(meeting.wait, PATIENCE)
    return meeting.wait(PATIENCE) >= 0


def test_helpers_are_free_after_each_run(helpers: ThreadPoolExecutor) -> None:
    backend = JitBackend()
    for _ in range(20):
        with backend.together(3):
            product(backend, 0)
        assert all_are_free(helpers)


def test_helpers_are_free_when_a_run_fails(helpers: ThreadPoolExecutor) -> None:
    backend = JitBackend()

    def fail() -> None:
        with backend.together(3):
            product(backend, 0)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert all_are_free(helpers)
    np.testing.assert_array_equal(product(backend, 0), product(JitBackend(), 0))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_helpers_of_its_own() -> None:
    backend = JitBackend()
    with backend.together(2):
        expected = product(backend, 0)
    child = os.fork()
    if child == 0:
        with backend.together(2):
            same = np.array_equal(product(backend, 0), expected)
        helping = team._helpers().submit(int).result(10) == 0
        os._exit(0 if same and helping else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_helper_that_is_still_there_is_not_started_again(helpers: ThreadPoolExecutor) -> None:
    backend, started = JitBackend(), []
    submit = helpers.submit
    helpers.submit = lambda *args: started.append(args) or submit(*args)  # type: ignore[assignment]
    with backend.together(3):
        for _ in range(5):
            with backend.together(3):
                product(backend, 0)
    assert len(started) == 2
    assert all_are_free(helpers)
    started.clear()
    with backend.together(3):
        product(backend, 0)
    assert len(started) == 2


def test_a_board_that_is_used_up_is_left() -> None:
    backend = JitBackend()
    expected = product(backend, 0)
    with backend.together(2):
        product(backend, 0)
    used = team._here.teams[2]
    used.board[NEXT] = MOST + CLOSED  # a helper that is still there can take nothing
    with backend.together(2):
        np.testing.assert_array_equal(product(backend, 0), expected)
    assert team._here.teams[2] is not used


@pytest.mark.parametrize("inner", [1, 2, 3])
def test_a_team_within_a_team(inner: int) -> None:
    backend = JitBackend()
    expected = product(backend, 0)
    with backend.together(2):
        with backend.together(inner):
            np.testing.assert_array_equal(product(backend, 0), expected)
        np.testing.assert_array_equal(product(backend, 0), expected)
    np.testing.assert_array_equal(product(backend, 0), expected)


class _OneThread(ThreadPoolExecutor):
    """There are no more threads than one."""

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        if self._threads:
            raise RuntimeError("can't start new thread")
        return super().submit(*args, **kwargs)


def test_the_first_helper_is_let_go_where_the_second_cannot_be_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with _OneThread(2) as pool:
        monkeypatch.setattr(team, "_helpers", lambda: pool)
        backend = JitBackend()
        with pytest.raises(RuntimeError, match="new thread"), backend.together(3):
            pass
        product(backend, 0)
    # Leaving the pool waits for its thread: one that still helped would never come.
