"""Numbers that kernels are tried on."""

from __future__ import annotations

from typing import Any

import numpy as np

INF, NAN = np.inf, np.nan

EXTREMES = np.array(
    [
        [0.0, -0.0, 1.0, -1.0, 2.0, 3.0, 4.0, 5.0],
        [1e4, -1e4, 1e4, 0.0, 1.0, 2.0, -3.0, 1e4],
        [-1e4, -1e4, -1e4, -1e4, -1e4, -1e4, -1e4, -1e4],
        [-INF, 0.0, 1.0, -INF, 2.0, -INF, -INF, -INF],
        [-INF, -INF, -INF, -INF, -INF, -INF, -INF, -INF],
        [INF, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        [NAN, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, NAN],
        [1e-40, -1e-40, 1e-38, 1e-45, 0.0, 0.0, 0.0, 0.0],  # denormal in float32: flushed or not
        [7.0, 7.0, 7.0, 7.0, 7.0, 7.0, 7.0, 7.0],
    ]
)
"""Rows of 8: signed zeros, ±1e4, -inf, inf, NaN first and last, denormals, equal values."""


def normal(*shape: int, seed: int = 0) -> Any:
    """Normally distributed, in float64; the same every time."""
    return np.random.default_rng((seed, *shape)).standard_normal(shape)


def numbers(least: int, *shape: int, seed: int = 0) -> Any:
    """Whole numbers from 0 to ``least`` - 1, in int64; the same every time."""
    return np.random.default_rng((seed, least, *shape)).integers(0, max(1, least), shape)


def offsets(*lengths: int) -> Any:
    """Cumulative offsets of sequences of these lengths, in int64."""
    return np.concatenate([[0], np.cumsum(np.array(lengths, np.int64))]).astype(np.int64)


def rows_apart(rows: int, width: int) -> Any:
    """Normal rows, and one each that is constant, far from zero, tiny, large, with one outlier."""
    x = normal(max(rows, 5), width)
    x[0] = 7
    x[1] += 100
    x[2] *= 1e-4
    x[3] *= 1e4
    x[4, 0] = 1e3
    return x[:rows]


def outlier_first(*shape: int) -> Any:
    """Normal lines along the last axis, whose first element lies far away."""
    x = normal(*shape)
    x[..., 0] = 1e6
    return x


def columns(x: Any, start: int, stop: int) -> Any:
    """Columns of a matrix: a view, whose rows do not lie together."""
    return x[:, start:stop]
