"""Threads that work on one operator together: for a text by itself, which keeps one busy.

Whoever has a job puts it on the team's board in a few shares; all threads take one share after the
other until none is left. Helpers look at the board in compiled code, without the GIL: taking a
share costs a tenth of a microsecond, where waking a thread costs a hundred times that, dozens of
times for a text. A helper that the system has not given a processor takes nothing and delays
nobody. One that waits keeps a processor busy, so it leaves half a millisecond after a batch; until
then it finds the next one at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import local
from typing import Any, Protocol

import numpy as np

from gpudb.backend.jit.board import BOARD, ENTERED, FAILED, LEFT, MOST, NEXT
from gpudb.backend.jit.library import library
from gpudb.backend.jit.records import RECORDS
from gpudb.types import HostArray

SHARES_EACH = 2
"""Shares for each thread: whoever is faster takes more of them."""

MOST_HELPERS = 1024
"""Of all texts that are computed at a time; one starts when none is asleep."""


class Recorder(Protocol):
    """Notes down the jobs of a thread, and hands out the memory that they work in."""

    def new_rows(self, rows: int, columns: int) -> HostArray:
        """A matrix of float32, not set."""

    def note(self, kind: int, job: HostArray, arrays: tuple[Any, ...]) -> None:
        """A job that is about to run, and the arrays it reads and writes."""


class _Team:
    """A board, and the shares that jobs are cut into; whoever is in it leads."""

    def __init__(self, threads: int = 1) -> None:
        self.board: HostArray = np.zeros(BOARD, np.int64)
        self.threads, self.shares = threads, SHARES_EACH * threads if threads > 1 else 1
        self._place = self.board.ctypes.data
        self._started = 0
        self._code = library()

    def run(self, jobs: int, count: int, words: int) -> None:
        """Run so many jobs; both are addresses."""
        self._code.run_jobs(self._place, jobs, count, words, self.shares)
        if self.board[FAILED]:
            raise MemoryError(
                "no memory for what compiled code works in; fewer threads, or a smaller "
                "GPUDB_TOKEN_BUDGET, take less"
            )

    def wake(self) -> None:
        """Have all helpers there; some may be there still."""
        while self._started - int(self.board[LEFT]) < self.threads - 1:
            _helpers().submit(self._help)
            self._started += 1

    def _help(self) -> None:
        # The board lives as long as somebody looks at it.
        self._code.help_team(self._place)


class _Here(local):
    """The team of this thread, those that it was in before, and who listens."""

    def __init__(self) -> None:
        self.team = _Team()
        self.teams: dict[int, _Team] = {}
        self.recorder: Recorder | None = None


_here = _Here()


@contextmanager
def together(threads: int) -> Iterator[None]:
    """While it is entered, operators of this thread are shared by so many threads."""
    if threads < 2:
        yield
        return
    before, team = _here.team, _here.teams.get(threads)
    if team is None or team.board[NEXT] > MOST:
        team = _here.teams[threads] = _Team(threads)
    team.board[ENTERED] += 1
    try:
        team.wake()
        _here.team = team
        yield
    finally:
        _here.team = before
        # Nobody waits for helpers: no share is left.
        team.board[ENTERED] -= 1


@cache
def _helpers() -> ThreadPoolExecutor:
    """Threads that help, asleep between batches: it is quicker to wake one than to start one."""
    return ThreadPoolExecutor(MOST_HELPERS, "gpudb-team")


def _forget_helpers() -> None:
    _helpers.cache_clear()
    _here.teams.clear()


# Threads do not live on in a forked process, which needs new ones.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_helpers)


_ONE = tuple(np.array([[kind, 0]]) for kind in range(len(RECORDS)))
_ONE_AT = tuple(job.ctypes.data for job in _ONE)


def run(kind: int, job: HostArray, *arrays: Any) -> None:
    """Run one job: a record, in an array of int64, that describes these arrays."""
    if _here.recorder is not None:
        _here.recorder.note(kind, job, arrays)
    _here.team.run(_ONE_AT[kind], 1, job.ctypes.data)


def run_all(jobs: int, count: int, words: int) -> None:
    """Run jobs, one after the other.

    Parameters
    ----------
    jobs, count
        Address of ``(count, 2)`` int64: their kinds, and where in ``words`` each begins.
    words
        Address of their records.
    """
    _here.team.run(jobs, count, words)


def recorder() -> Recorder | None:
    """Who notes down what this thread runs."""
    return _here.recorder


@contextmanager
def recording(noting: Recorder) -> Iterator[None]:
    """While it is entered, somebody notes down what this thread runs."""
    before = _here.recorder
    _here.recorder = noting
    try:
        yield
    finally:
        _here.recorder = before
