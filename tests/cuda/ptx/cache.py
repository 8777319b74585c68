"""The cache that stands between the threads of a launch and memory.

What a launch moves is counted in sectors of 32 bytes, where they pass between this cache and
memory. Threads that are at work together share it: a sector is read once for all of their accesses
that come close together in time, whichever warp makes them, and once more when it was pushed out
meanwhile. A sector that is written in parts leaves the cache once if the parts come close together.

Its size follows the threads at work: :data:`NBYTES_EACH` for each, less than the second-level cache
of any GPU in ``gpudb/predict/devices.py`` has (a T4: 4 MiB for 40,960 threads, 102 bytes each; an
A100: 190; an L4: 565). At work are blocks of :data:`AT_WORK` threads, which go on step by step
together; the next ones follow when these are done. What was touched longest ago is pushed out
first. A launch begins with an empty cache: what one kernel leaves there is no gift to the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np

NBYTES_EACH = 64
"""Bytes of cache for each thread at work."""

AT_WORK = 1 << 13
"""Threads at work together: fewer than on any GPU, so that arrays outgrow the cache early."""

SECTOR = 32
"""Bytes that memory hands over at least."""


class Sectors:
    """What the cache knows about the sectors of one array."""

    __slots__ = ("changed", "touched")

    def __init__(self, nbytes: int) -> None:
        count = -(-nbytes // SECTOR)
        self.touched = np.full(count, -1)
        """Number of the access that touched each last."""
        self.changed = np.zeros(count, bool)
        """Whether each was written since it came in."""


class Cache:
    """Sectors that were touched last; whole accesses are pushed out.

    Parameters
    ----------
    nbytes
        Its size.
    """

    def __init__(self, nbytes: int) -> None:
        self._most = nbytes // SECTOR
        self._held = 0
        self._touched: list[int] = []
        """For each access, how many sectors no later one has touched."""
        self._oldest = 0
        """First access whose sectors are still here."""

    def moved(self, sectors: Sectors, numbers: Any, write: bool) -> int:
        """Touch sectors of an array; how many pass between cache and memory because of it."""
        numbers = np.unique(numbers)
        last = sectors.touched[numbers]
        here = last >= self._oldest
        sectors.changed[numbers[~here]] = False
        passing = ~sectors.changed[numbers] if write else ~here
        sectors.changed[numbers] |= write
        self._touch(last[here], len(numbers))
        sectors.touched[numbers] = len(self._touched) - 1
        return int(np.count_nonzero(passing))

    def _touch(self, again: Any, count: int) -> None:
        """Note an access to so many sectors; ``again`` is when those among them were here last."""
        for access, sectors in zip(*np.unique(again, return_counts=True), strict=True):
            self._touched[access] -= sectors
        self._held += count - len(again)
        self._touched.append(count)
        while self._held > self._most:
            self._held -= self._touched[self._oldest]
            self._oldest += 1
