"""Threads that work on one operator together: the bits of one thread, whatever happens inside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import active_count
from typing import Any

import numpy as np
import pytest

from gpudb.backend import open_backend
from gpudb.backend.jit import team
from gpudb.backend.jit.backend import JitBackend
from gpudb.backend.jit.target import TARGET
from gpudb.backend.jit.tile import COLUMNS
from gpudb.kernels.attention import attention
from gpudb.types import HostArray
from tests.backend.jit.factors import SHAPES, numbers
from tests.tiny_plans import offsets_of

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


def test_helpers_go_when_a_run_fails() -> None:
    backend, before = JitBackend(), active_count()

    def fail() -> None:
        with backend.together(3):
            product(backend, 0)
            assert active_count() == before + 2
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert active_count() == before
    np.testing.assert_array_equal(product(backend, 0), product(JitBackend(), 0))


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


def test_helpers_go_where_not_all_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team, "ThreadPoolExecutor", _OneThread)
    backend, before = JitBackend(), active_count()
    with pytest.raises(RuntimeError, match="new thread"), backend.together(3):
        pass
    assert active_count() == before
    product(backend, 0)
