"""The functions that Python calls: run jobs, alone or as the first of a team, and help a team."""

from __future__ import annotations

import numpy as np
from numba import from_dtype

from gpudb.backend.jit.board import (
    BOARD,
    CLOSED,
    DONE,
    ENTERED,
    FAILED,
    JOB,
    JOBS,
    KIND,
    LEFT,
    NEXT,
    SHARES,
)
from gpudb.backend.jit.compiled.arrays import array_at, at
from gpudb.backend.jit.compiled.gating import gating_share
from gpudb.backend.jit.compiled.heads import attention_share
from gpudb.backend.jit.compiled.lookups import run_lookup
from gpudb.backend.jit.compiled.norms import norm_share
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.compiled.pooling import run_pooling
from gpudb.backend.jit.compiled.products import product_share
from gpudb.backend.jit.compiled.scaling import scaling_share
from gpudb.backend.jit.compiled.threads import (
    acquire,
    count_one,
    exchange,
    pause,
    release,
    yield_processor,
)
from gpudb.backend.jit.compiled.turning import turning_share
from gpudb.backend.jit.records import (
    ATTEND,
    GATE,
    LOOK_UP,
    MULTIPLY,
    NORMALIZE,
    POOL,
    RECORDS,
    SCALE,
    SHARED,
)
from gpudb.types import HostArray

_PRODUCT, _ATTENTION, _NORM, _SCALING, _GATING, _TURNING, _LOOKUP, _POOLING = map(
    from_dtype, RECORDS
)

SPINS = 4096
"""Looks at the board before others may have the processor: about 100 microseconds."""
LINGERS = 3 * SPINS
"""Looks before a helper leaves a team that nobody is in: half a millisecond or more. It finds the
next batch of somebody who asks again at once, where waking it takes as long as a short batch."""


@part
def _run_share(kind: int, job: int, share: int, shares: int) -> bool:
    """Whether there was memory for it."""
    if kind == MULTIPLY:
        return product_share(array_at(job, _PRODUCT, (1,))[0], share, shares)
    if kind == ATTEND:
        return attention_share(array_at(job, _ATTENTION, (1,))[0], share, shares)
    if kind == NORMALIZE:
        norm_share(array_at(job, _NORM, (1,))[0], share, shares)
    elif kind == SCALE:
        scaling_share(array_at(job, _SCALING, (1,))[0], share, shares)
    elif kind == GATE:
        gating_share(array_at(job, _GATING, (1,))[0], share, shares)
    else:
        turning_share(array_at(job, _TURNING, (1,))[0], share, shares)
    return True


@part
def _run_alone(kind: int, job: int) -> bool:
    """What is not worth sharing, or whole."""
    if kind == LOOK_UP:
        run_lookup(array_at(job, _LOOKUP, (1,))[0])
    elif kind == POOL:
        run_pooling(array_at(job, _POOLING, (1,))[0])
    else:
        return _run_share(kind, job, 0, 1)
    return True


@part
def _take_share(board: HostArray, next_share: int) -> bool:
    """Run the share that comes next, unless somebody else is faster or none is left."""
    share = next_share % JOBS
    kind, job, shares = board[KIND], board[JOB], board[SHARES]
    # The exchange fails if the job has changed since: only then may what was read be wrong.
    if share >= shares or not exchange(at(board, (NEXT,)), next_share, next_share + 1):
        return False
    if not _run_share(kind, job, share, shares):
        release(at(board, (FAILED,)), 1)
    count_one(at(board, (DONE,)))
    return True


@part
def _lead(board: HostArray, kind: int, job: int, shares: int) -> bool:
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
    return bool(acquire(at(board, (FAILED,))) == 0)


def help_team(board_at: int) -> None:
    """Take shares until nobody is in the team any more."""
    board, spins = array_at(board_at, np.int64, (BOARD,)), 0
    while spins < LINGERS:
        if _take_share(board, acquire(at(board, (NEXT,)))):
            spins = 0
        elif spins < SPINS:
            spins += 1
            pause()
        else:
            spins += acquire(at(board, (ENTERED,))) == 0
            yield_processor()
    count_one(at(board, (LEFT,)))


def run_jobs(board_at: int, jobs_at: int, count: int, words_at: int, shares: int) -> None:
    """Run jobs ``(count, 2)``, one after the other: their kinds, and which word each begins at.

    One that lacks memory is the last; the board says so.
    """
    board = array_at(board_at, np.int64, (BOARD,))
    jobs = array_at(jobs_at, np.int64, (count, 2))
    board[FAILED] = 0
    for i in range(count):
        kind, job = jobs[i, 0], words_at + 8 * jobs[i, 1]
        alone = shares == 1 or kind > SHARED
        if not (_run_alone(kind, job) if alone else _lead(board, kind, job, shares)):
            board[FAILED] = 1
            return
