"""Batches on threads: all run, the first error or an interrupt stops the rest."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from gpudb.exec.parallel import run_all, single_threaded_blas


def _blas_threads() -> set[int]:
    return {i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"}


@given(count=st.integers(0, 40), threads=st.integers(-1, 5))
def test_every_item_runs_once_and_is_reported_from_the_caller(count: int, threads: int) -> None:
    ran: list[int] = []
    reported: list[tuple[int, int]] = []
    caller = threading.get_ident()
    run_all(
        ran.append,
        range(count),
        threads,
        lambda item: reported.append((item, threading.get_ident())),
    )
    assert sorted(ran) == list(range(count))
    assert sorted(reported) == [(i, caller) for i in range(count)]


def test_items_run_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=30)
    arrived: list[int] = []

    def work(item: int) -> None:
        arrived.append(meeting.wait())

    run_all(work, range(6), threads=3)
    assert sorted(arrived) == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_an_error_stops_the_rest(error: type[BaseException], threads: int) -> None:
    ran: list[int] = []

    def work(item: int) -> None:
        ran.append(item)
        if item == 5:
            raise error("stop")

    with pytest.raises(error, match="stop"):
        run_all(work, range(10_000), threads)
    assert 5 in ran
    # Each thread may have taken what was queued for it before the error was seen.
    assert len(ran) <= 6 + 4 * threads


def test_an_interrupt_in_the_caller_stops_the_rest() -> None:
    ran: list[int] = []

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_all(ran.append, range(10_000), 2, interrupt)
    assert len(ran) <= 4


def test_blas_has_one_thread_inside_and_what_it_had_outside() -> None:
    before = _blas_threads()
    seen: list[set[int]] = []
    run_all(lambda _: seen.append(_blas_threads()), range(2), 2)
    assert seen == [{1}, {1}]
    with single_threaded_blas():
        with single_threaded_blas():
            assert _blas_threads() == {1}
        assert _blas_threads() == {1}
    assert _blas_threads() == before
