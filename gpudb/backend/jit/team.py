"""Threads that work on one operator together: for a text by itself, which keeps one busy.

Whoever has a job puts it on the team's board in a few shares; all threads take one share after the
other until none is left. Helpers look at the board in compiled code, without the GIL: taking a
share costs a tenth of a microsecond, where waking a thread costs a hundred times that, dozens of
times for a text. A helper that the system has not given a processor takes nothing and delays
nobody. One that waits keeps a processor busy, so a team lives for one batch.
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

from gpudb.backend.jit.board import BOARD, FAILED, NEXT, STOPPED
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
    """A board, and the shares that jobs are cut into."""

    def __init__(self, shares: int = 1) -> None:
        self.board: HostArray = np.zeros(BOARD, np.int64)
        self.place = self.board.ctypes.data
        self.shares = shares
        self._code = library()

    def run(self, jobs: int, count: int, words: int) -> None:
        """Run so many jobs; both are addresses."""
        self._code.run_jobs(self.place, jobs, count, words, self.shares)
        if self.board[FAILED]:
            raise MemoryError("no memory for what compiled code works in")

    def help(self) -> None:
        """Take shares until the team stops."""
        self._code.help_team(self.place)


class _Here(local):
    """The team of this thread, and who listens."""

    def __init__(self) -> None:
        self.team = _Team()
        self.recorder: Recorder | None = None


_here = _Here()


@contextmanager
def together(threads: int) -> Iterator[None]:
    """While it is entered, operators of this thread are shared by so many threads."""
    if threads < 2:
        yield
        return
    before, team = _here.team, _Team(SHARES_EACH * threads)
    try:
        for _ in range(threads - 1):
            _helpers().submit(team.help)
        _here.team = team
        yield
    finally:
        _here.team = before
        # Nobody waits for helpers: no share is left, and a board lives as long as they look at it.
        team.board[NEXT] = STOPPED


@cache
def _helpers() -> ThreadPoolExecutor:
    """Threads that help, asleep between batches: it is quicker to wake one than to start one."""
    return ThreadPoolExecutor(MOST_HELPERS, "gpudb-team")


# Threads do not live on in a forked process, which needs new ones.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.cache_clear)


_ONE = tuple(np.array([[kind, 0]]) for kind in range(len(RECORDS)))
_ONE_AT = tuple(job.ctypes.data for job in _ONE)


def run(kind: int, job: HostArray, *arrays: Any) -> None:
    """Run one job: a record, in an array of int64, that describes these arrays."""
    if _here.recorder is not None:
        _here.recorder.note(kind, job, arrays)
    _here.team.run(_ONE_AT[kind], 1, job.ctypes.data)


def run_all(jobs: HostArray, words: HostArray) -> None:
    """Run jobs ``(n, 2)``, one after the other: their kinds, and where in ``words`` each begins."""
    _here.team.run(jobs.ctypes.data, len(jobs), words.ctypes.data)


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
