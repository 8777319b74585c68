"""Where a team finds its jobs: places in an array of int64 that its threads look at."""

from __future__ import annotations

LINE = 8
"""int64 in a cache line: what different threads write lies in different ones."""

NEXT, DONE, FAILED, KIND, JOB, SHARES = 0, LINE, LINE + 1, 2 * LINE, 2 * LINE + 1, 2 * LINE + 2
"""The job's number and its next share, as one number; the shares that are done; whether one of them
lacked memory; what the job is, where it lies, and into how many shares it is cut."""

BOARD = 3 * LINE

JOBS = 1 << 32
"""What one job adds to ``NEXT``; the share is what is below."""

CLOSED = JOBS - 1
"""No share of a job can be taken."""

STOPPED = -1
