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
from numba import carray, from_dtype, types

from gpudb.backend.jit.compiled import array, compiled, part, written
from gpudb.backend.jit.heads import ATTENTION, attention_share
from gpudb.backend.jit.lookups import LOOKUP, run_lookup
from gpudb.backend.jit.memory import (
    acquire,
    count_one,
    exchange,
    pause,
    pointer_to,
    release,
    yield_processor,
)
from gpudb.backend.jit.norms import NORM, norm_share
from gpudb.backend.jit.panels import PRODUCT, product_share
from gpudb.backend.jit.pooling import POOLING, run_pooling
from gpudb.backend.jit.vectors import at
from gpudb.types import HostArray

MULTIPLY, ATTEND, NORMALIZE, LOOK_UP, POOL = range(5)
"""Kinds of jobs."""
RECORDS = (PRODUCT, ATTENTION, NORM, LOOKUP, POOLING)
"""What each kind is described by."""

SHARED = NORMALIZE
"""The last kind that threads share; the others take less than a share costs."""

_PRODUCT, _ATTENTION, _NORM, _LOOKUP, _POOLING = map(from_dtype, RECORDS)

LINE = 8
"""int64 in a cache line: what different threads write lies in different ones."""

NEXT, DONE, KIND, JOB, SHARES = 0, LINE, 2 * LINE, 2 * LINE + 1, 2 * LINE + 2
"""Places on a board: the job's number and its next share, as one number; the shares that are done;
what the job is, where it lies, and into how many shares it is cut."""

BOARD = 3 * LINE

JOBS = 1 << 32
"""What one job adds to ``NEXT``; the share is what is below."""

CLOSED = JOBS - 1
"""No share of a job can be taken."""

STOPPED = -1

SHARES_EACH = 2
"""Shares for each thread: whoever is faster takes more of them."""

MOST_HELPERS = 1024
"""Of all texts that are computed at a time; one starts when none is asleep."""

SPINS = 4096
"""Looks at the board before others may have the processor: about 100 microseconds."""


@part
def _run_share(kind: int, job: int, share: int, shares: int) -> None:
    if kind == MULTIPLY:
        product_share(carray(pointer_to(job, _PRODUCT), 1)[0], share, shares)
    elif kind == ATTEND:
        attention_share(carray(pointer_to(job, _ATTENTION), 1)[0], share, shares)
    else:
        norm_share(carray(pointer_to(job, _NORM), 1)[0], share, shares)


@part
def _take_share(board: HostArray, next_share: int) -> bool:
    """Run the share that comes next, unless somebody else is faster or none is left."""
    share = next_share % JOBS
    kind, job, shares = board[KIND], board[JOB], board[SHARES]
    # The exchange fails if the job has changed since: only then may what was read be wrong.
    if share >= shares or not exchange(at(board, (NEXT,)), next_share, next_share + 1):
        return False
    _run_share(kind, job, share, shares)
    count_one(at(board, (DONE,)))
    return True


@compiled(written(types.int64, 1))
def _help(board: HostArray) -> None:
    """Take shares until the team stops."""
    spins = 0
    while True:
        next_share = acquire(at(board, (NEXT,)))
        if next_share == STOPPED:
            return
        if _take_share(board, next_share):
            spins = 0
        elif spins < SPINS:
            spins += 1
            pause()
        else:
            yield_processor()


@part
def _run_alone(kind: int, job: int) -> None:
    """What is not worth sharing."""
    if kind == LOOK_UP:
        run_lookup(carray(pointer_to(job, _LOOKUP), 1)[0])
    elif kind == POOL:
        run_pooling(carray(pointer_to(job, _POOLING), 1)[0])
    else:
        _run_share(kind, job, 0, 1)


@part
def _lead(board: HostArray, kind: int, job: int, shares: int) -> None:
    """Put a job on the board, take shares of it, and wait for those that others took."""
    number = acquire(at(board, (NEXT,))) // JOBS * JOBS
    release(at(board, (NEXT,)), number + CLOSED)
    board[KIND], board[JOB], board[SHARES] = kind, job, shares
    release(at(board, (DONE,)), 0)
    number += JOBS
    release(at(board, (NEXT,)), number)
    while True:
        next_share = acquire(at(board, (NEXT,)))
        if next_share >= number + shares:
            break
        _take_share(board, next_share)
    while acquire(at(board, (DONE,))) < shares:
        pause()


@compiled(written(types.int64, 1), array(types.int64, 2), written(types.int64, 1), types.int64)
def _run(board: HostArray, jobs: HostArray, words: HostArray, shares: int) -> None:
    """Run jobs ``(n, 2)``, one after the other: their kinds, and where in ``words`` each begins."""
    for i in range(jobs.shape[0]):
        kind, job = jobs[i, 0], at(words, (jobs[i, 1],))
        if shares == 1 or kind > SHARED:
            _run_alone(kind, job)
        else:
            _lead(board, kind, job, shares)


class Recorder(Protocol):
    """Notes down the jobs of a thread, and hands out the memory that they work in."""

    def new_rows(self, rows: int, columns: int) -> HostArray:
        """A matrix of float32, not set."""

    def note(self, kind: int, job: HostArray, arrays: tuple[Any, ...]) -> None:
        """A job that is about to run, and the arrays it reads and writes."""


class _Here(local):
    """The team of this thread: a board, and the shares that jobs are cut into; and who listens."""

    def __init__(self) -> None:
        self.board: HostArray = np.zeros(BOARD, np.int64)
        self.shares = 1
        self.recorder: Recorder | None = None


_here = _Here()


@contextmanager
def together(threads: int) -> Iterator[None]:
    """While it is entered, operators of this thread are shared by so many threads."""
    if threads < 2:
        yield
        return
    before = _here.board, _here.shares
    board: HostArray = np.zeros(BOARD, np.int64)
    try:
        for _ in range(threads - 1):
            _helpers().submit(_help, board)
        _here.board, _here.shares = board, SHARES_EACH * threads
        yield
    finally:
        _here.board, _here.shares = before
        # Nobody waits for helpers: no share is left, and a board lives as long as they look at it.
        board[NEXT] = STOPPED


@cache
def _helpers() -> ThreadPoolExecutor:
    """Threads that help, asleep between batches: it is quicker to wake one than to start one."""
    return ThreadPoolExecutor(MOST_HELPERS, "gpudb-team")


# Threads do not live on in a forked process, which needs new ones.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.cache_clear)


_ONE = tuple(np.array([[kind, 0]]) for kind in range(len(RECORDS)))


def run(kind: int, job: HostArray, *arrays: Any) -> None:
    """Run one job: a record, in an array of int64, that describes these arrays."""
    if _here.recorder is not None:
        _here.recorder.note(kind, job, arrays)
    _run(_here.board, _ONE[kind], job, _here.shares)


def run_all(jobs: HostArray, words: HostArray) -> None:
    """Run jobs ``(n, 2)``, one after the other: their kinds, and where in ``words`` each begins."""
    _run(_here.board, jobs, words, _here.shares)


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
