"""Walk over rows in pieces that stay in the second-level cache."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

PIECE_NBYTES = 256 << 10
"""One operand's share of the cache: a kernel touches a few arrays of this size at a time."""


def row_pieces(x: Any) -> Iterator[slice]:
    """Slices over the first axis of ``x``, each of about :data:`PIECE_NBYTES`."""
    row_nbytes = max(1, prod(x.shape[1:]) * x.itemsize)
    step = max(1, PIECE_NBYTES // row_nbytes)
    for start in range(0, x.shape[0], step):
        yield slice(start, start + step)
