"""Arrays that jobs read and write, as they can say where these are."""

from __future__ import annotations

import numpy as np

from gpudb.backend.jit.packing import ALIGNMENT
from gpudb.backend.jit.team import recorder
from gpudb.types import HostArray

CONFLICT = 2048
"""Rows so many bytes apart, or a multiple, compete for the same few places of the first-level
cache."""


def spread_width(columns: int) -> int:
    """Numbers from row to row where rows of a tile shall not share a cache line's places."""
    return columns if columns * 4 % CONFLICT else columns + ALIGNMENT // 4


def new_rows(rows: int, columns: int) -> HostArray:
    """A matrix of float32, not set, whose rows products read as they are."""
    noting = recorder()
    if noting is not None:
        return noting.new_rows(rows, columns)
    return np.empty((rows, spread_width(columns)), np.float32)[:, :columns]


def one_after_the_other(x: HostArray) -> HostArray:
    """A float32 matrix as it is; a copy where a record cannot say where its rows are."""
    rows, columns = x.shape
    forwards = rows < 2 or (x.strides[0] >= 4 * columns and x.strides[0] % 4 == 0)
    side_by_side = columns < 2 or x.strides[1] == 4
    return x if forwards and side_by_side else np.ascontiguousarray(x)


def spread(x: HostArray) -> HostArray:
    """A matrix as it is, or a copy where its rows are a multiple of :data:`CONFLICT` apart."""
    x = one_after_the_other(x)
    if len(x) < 2 or x.strides[0] % CONFLICT:
        return x
    copy = np.empty((len(x), x.shape[1] + ALIGNMENT // 4), np.float32)[:, : x.shape[1]]
    copy[...] = x
    return copy


def whole_numbers(x: HostArray) -> HostArray:
    """Integers as int64, side by side."""
    return np.ascontiguousarray(x, np.int64)
