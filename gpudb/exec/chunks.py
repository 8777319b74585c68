"""Work through many pairs in parts, so that what is gathered stays small."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gpudb.types import HostArray

SCRATCH_NBYTES = 64 << 20
"""Gathered blocks and their products stay below this, unless one group of pairs needs more."""


def group_chunks(bounds: HostArray, row_nbytes: int) -> Iterator[tuple[int, int]]:
    """First and last + 1 group of each part.

    Parameters
    ----------
    bounds
        Where each group of rows starts, and where the last one ends: ``(g + 1,)``.
    row_nbytes
        Bytes held for one row while its part is worked on.
    """
    most = max(1, SCRATCH_NBYTES // max(1, row_nbytes))
    first = 0
    while first < len(bounds) - 1:
        fitting = int(np.searchsorted(bounds, bounds[first] + most, "right")) - 1
        last = max(first + 1, fitting)
        yield first, last
        first = last


def from_zero(starts: HostArray) -> HostArray:
    """Where groups of a part begin, counted from its first row; themselves in the first part."""
    return starts - starts[0] if len(starts) and starts[0] else starts


def scratch_nbytes(rows: int, longest: int, row_nbytes: int, result_nbytes: int) -> int:
    """Bytes that :func:`group_chunks` makes a run hold beside its inputs and its result.

    ``longest`` is the number of rows in the longest group. Where there are several parts, their
    results lie beside the whole for a moment.
    """
    whole = rows * row_nbytes
    if whole <= SCRATCH_NBYTES:
        return whole
    return min(whole, max(SCRATCH_NBYTES, longest * row_nbytes)) + result_nbytes
