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
from typing import Any

import numpy as np
from numba import carray, from_dtype, types

from gpudb.backend.jit.compiled import compiled, part, written
from gpudb.backend.jit.heads import ATTENTION, attention_share
from gpudb.backend.jit.memory import (
    acquire,
    count_one,
    exchange,
    pause,
    pointer_to,
    release,
    yield_processor,
)
from gpudb.backend.jit.panels import PRODUCT, product_share
from gpudb.backend.jit.vectors import at
from gpudb.types import HostArray

MULTIPLY, ATTEND = range(2)

_PRODUCT, _ATTENTION = from_dtype(PRODUCT), from_dtype(ATTENTION)

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
    else:
        attention_share(carray(pointer_to(job, _ATTENTION), 1)[0], share, shares)


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


@compiled(written(types.int64, 1), types.int64, written(types.int64, 1), types.int64)
def _lead(board: HostArray, kind: int, described: HostArray, shares: int) -> None:
    """Put a job on the board, take shares of it, and wait for those that others took."""
    job = at(described, (0,))
    if shares == 1:
        _run_share(kind, job, 0, 1)
        return
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


class _Here(local):
    """The team of this thread: a board, and the shares that jobs are cut into."""

    def __init__(self) -> None:
        self.board: HostArray = np.zeros(BOARD, np.int64)
        self.shares = 1


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


def multiply_together(job: Any) -> None:
    """Run a :data:`PRODUCT`, in an array of int64."""
    _lead(_here.board, MULTIPLY, job, _here.shares)


def attend_together(job: Any) -> None:
    """Run an :data:`ATTENTION`, in an array of int64."""
    _lead(_here.board, ATTEND, job, _here.shares)
