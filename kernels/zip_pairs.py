"""Combine pairs of blocks element by element: ``(n, *a)``, ``(m, *b)`` -> ``(p, *c)``.

Pair ``i`` is block ``rows_x[i]`` of ``x`` and ``rows_y[i]`` of ``y``; -1 is a block of zeros. The
blocks of ``x`` have as many axes as those of the result; ``order`` says which axis of ``y`` lies at
each axis of the result, None where ``y`` has none. Axes of extent 1 are repeated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.elementwise import ZIPS
from gpudb.kernels.rows import row_pieces
from gpudb.kernels.take_or_zero import take_or_zero

Order = tuple[int | None, ...]


def reference(x: Any, y: Any, rows_x: Any, rows_y: Any, order: Order, fn: str) -> Any:
    """In pieces: only what a piece needs is gathered."""
    out = np.empty(shape(x, y, rows_x, rows_y, order, fn), np.result_type(x, y))
    for piece in row_pieces(out):
        right = _spread(_blocks(y, rows_y[piece]), order)
        out[piece] = ZIPS[fn](_blocks(x, rows_x[piece]), right)
    return out


def shape(x: Any, y: Any, rows_x: Any, rows_y: Any, order: Order, fn: str) -> tuple[int, ...]:
    """Shape of the result."""
    right = tuple(1 if axis is None else y.shape[axis + 1] for axis in order)
    return (len(rows_x), *np.broadcast_shapes(x.shape[1:], right))


def dtype(x: Any, y: Any, *rest: Any) -> Any:
    """Dtype of the result."""
    return np.result_type(x, y)


def _blocks(x: Any, rows: Any) -> Any:
    """A single block, which may be large, is not copied."""
    if len(rows) == 1 and rows[0] >= 0:
        return x[rows[0] : rows[0] + 1]
    return take_or_zero.reference(x, rows)


def _spread(y: Any, order: Order) -> Any:
    moved = y.transpose(0, *(axis + 1 for axis in order if axis is not None))
    return moved[(slice(None), *(None if axis is None else slice(None) for axis in order))]


zip_pairs = Kernel("zip_pairs", reference, shape, dtype)
