"""Where a team finds its jobs: places in an array of int64 that its threads look at."""

from __future__ import annotations

LINE = 8
"""int64 in a cache line: what different threads write lies in different ones."""

NEXT, DONE, FAILED = 0, LINE, LINE + 1
"""The job's number and its next share, as one number; the shares that are done; whether one of them
lacked memory."""

LEFT = DONE + 2
"""Helpers that have left."""

KIND, JOB, SHARES, ENTERED = range(2 * LINE, 2 * LINE + 4)
"""What the job is, where it lies, and into how many shares it is cut; whether more jobs may come:
as long as they may, nobody leaves."""

BOARD = 3 * LINE

JOBS = 1 << 32
"""What one job adds to ``NEXT``; the share is what is below."""

CLOSED = JOBS - 1
"""No share of a job can be taken."""

MOST = 1 << 62
"""``NEXT`` of a board that is used up: the numbers of jobs are nearly as large as they can be."""
