"""Walk over rows, or over blocks, in pieces that stay in the second-level cache."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

PIECE_NBYTES = 256 << 10
"""One operand's share of the cache: a kernel touches a few arrays of this size at a time."""


def row_pieces(x: Any) -> Iterator[slice]:
    """Slices over the first axis of ``x``, each of about :data:`PIECE_NBYTES`."""
    row_nbytes = max(1, prod(x.shape[1:]) * x.itemsize)
    step = max(1, PIECE_NBYTES // row_nbytes)
    for start in range(0, x.shape[0], step):
        yield slice(start, start + step)


def chosen(x: Any, rows: Any) -> Any:
    """Rows of ``x`` by number: a view where they follow each other, else a copy."""
    first, count = (int(rows[0]), len(rows)) if len(rows) else (0, 0)
    if np.array_equal(rows, np.arange(first, first + count)):
        return x[first : first + count]
    return x[rows]


def valid_pieces(x: Any, lengths: Any, axis: int) -> Iterator[tuple[Any, Any]]:
    """Blocks ``(n, *block)`` a few at a time, their padding along a block axis cut off.

    Gives (numbers of the blocks, the blocks), all of one length; ``lengths`` is ``(n,)``.
    """
    inside = (slice(None),) * (1 + axis)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        for piece in row_pieces(x[: len(rows)]):
            part = chosen(x, rows[piece])
            yield rows[piece], part[(*inside, slice(length))]
