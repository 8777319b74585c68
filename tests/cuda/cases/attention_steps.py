"""Attention as its relational steps: scores, softmax and context of pairs; blocks of sequences."""

from __future__ import annotations

import numpy as np

from gpudb.kernels.attention_context import attention_context
from gpudb.kernels.attention_scores import attention_scores
from gpudb.kernels.distance_scores import distance_scores
from gpudb.kernels.pair_softmax import pair_softmax
from gpudb.kernels.sequence_softmax import sequence_softmax
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import INF, NAN, normal, offsets

LENGTHS = [(3, 0, 1, 2), (), (0,), (1,), (33, 2), (5, 5, 0, 7)]
HEADS = [(1, 1), (2, 3), (3, 17)]
"""Heads, and elements of each."""
FEW = (32, 256)


def _pairs(lengths: tuple[int, ...]) -> int:
    return sum(n * n for n in lengths)


def _scores() -> np.ndarray:
    """Of one sequence of three rows and two heads: a key of -inf, a row of -inf, one with NaN."""
    scores = normal(9, 2)
    scores[1, 0] = scores[4] = -INF
    scores[3:6, 1] = -INF
    scores[6, 1] = NAN
    return scores


PAIRS = [
    case
    for lengths in LENGTHS
    for heads, width in HEADS
    for name in (f"{lengths}, {heads} heads of {width}",)
    for n, o in ((sum(lengths), offsets(*lengths)),)
    for case in (
        Case(
            attention_scores,
            name,
            (
                *(normal(n, heads * width, seed=seed) for seed in (0, 1)),
                *(o, _pairs(lengths), heads, 0.3),
            ),
            REAL,
            scale=10.0,
            block_sizes=FEW,
        ),
        Case(pair_softmax, name, (normal(_pairs(lengths), heads), o), REAL, block_sizes=FEW),
        Case(
            attention_context,
            name,
            (np.abs(normal(_pairs(lengths), heads)), normal(n, heads * width), o),
            REAL,
            scale=10.0,
            block_sizes=FEW,
        ),
    )
]

# Two groups: rows of sequences 0 and 1 against three blocks of columns; rows of 1 and padding.
ROWS = np.array([[0, 1], [0, 1], [0, 1], [1, -1]])
COLUMNS = np.array([[0, 0, 0], [0, 1, 1], [1, 1, -2], [1, 1, -2]])


def _blocks(rows: int, heads: int, columns: int) -> np.ndarray:
    return normal(4, rows, heads, columns) * 3


def _tiled(numbers: np.ndarray, length: int) -> np.ndarray:
    """More rows or columns, of the same sequences in turn."""
    return np.resize(numbers.T, (length, 4)).T


DISTANCES = [
    Case(
        attention_scores,
        f"{lengths}, numbers by distance {table.shape}",
        (
            *(normal(n, 6, seed=seed) for seed in (0, 1)),
            *(offsets(*lengths), _pairs(lengths), 2, 0.3, table),
        ),
        REAL,
        block_sizes=FEW,
    )
    for lengths in LENGTHS
    for table in (normal(2, 3), normal(1, 41), np.array([[-INF, 0, -INF]]))
    for n in (sum(lengths),)
]

VECTORS = [
    Case(
        distance_scores,
        f"{lengths}, {len(rows)} distances, {'keys' if by_key else 'queries'}",
        (
            *(normal(n, 6), normal(4, 6, seed=1), np.array(rows)),
            *(offsets(*lengths), _pairs(lengths), 2, 0.3, by_key),
        ),
        REAL,
        scale=10.0,
        block_sizes=FEW,
    )
    for lengths in LENGTHS
    for rows in ([2], [3, 0, 1], [0, 1, 2] * 15)
    for by_key in (False, True)
    for n in (sum(lengths),)
]

# What DeBERTa takes in every precision.
HALVES = [
    Case(kernel, f"half, {label}", args, STORED, scale=10.0, block_sizes=FEW)
    for n, o in ((16, offsets(9, 5, 2)),)
    for pairs in (_pairs((9, 5, 2)),)
    for x, y in ((normal(n, 6), normal(n, 6, seed=1)),)
    for kernel, label, args in (
        (attention_scores, "scores", (x, y, o, pairs, 2, 0.3)),
        (attention_scores, "distances", (x, y, o, pairs, 2, 0.3, normal(2, 7))),
        (distance_scores, "queries", (x, y, np.array([2, 9, 4]), o, pairs, 2, 0.3, False)),
        (pair_softmax, "softmax", (normal(pairs, 2), o)),
        (attention_context, "context", (np.abs(normal(pairs, 2)), y, o)),
    )
]

CASES = [
    *PAIRS,
    *HALVES,
    *VECTORS,
    *DISTANCES,
    Case(pair_softmax, "infinities", (_scores(), offsets(3)), REAL),
    *(
        Case(
            sequence_softmax,
            f"{rows} rows, {heads} heads, {columns} columns",
            (
                _blocks(rows, heads, columns),
                np.array([0, 3]),
                _tiled(ROWS, rows),
                _tiled(COLUMNS, columns),
            ),
            REAL,
            block_sizes=FEW,
        )
        for rows, heads, columns in ((2, 1, 3), (2, 3, 33), (5, 2, 32), (1, 1, 70))
    ),
    Case(
        sequence_softmax,
        "no block",
        (normal(0, 2, 1, 3), np.zeros(0, int), np.zeros((0, 2), int), np.zeros((0, 3), int)),
        REAL,
    ),
    Case(
        sequence_softmax,
        "scores of -inf",
        (
            np.where(_blocks(2, 1, 3) > 0, _blocks(2, 1, 3), -INF),
            np.array([0, 3]),
            ROWS,
            COLUMNS,
        ),
        REAL,
    ),
]
