"""Lines, parts of lines, blocks of a grid and rows of segments, each combined to one."""

from __future__ import annotations

import sys
from math import prod

import numpy as np

from gpudb.kernels.argmax_axis import argmax_axis
from gpudb.kernels.merge_argmax import merge_argmax
from gpudb.kernels.merge_parts import merge_parts
from gpudb.kernels.reduce_axis import FUNCTIONS, reduce_axis
from gpudb.kernels.reduce_grid import reduce_grid
from gpudb.kernels.segment_rows import segment_rows
from tests.cuda.cases.case import REAL, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers

BLOCKS = [(0, 3, 4), (1, 1), (3, 2, 33), (2, 32, 3), (3, 2, 2, 65), (4, 70)]
MERGES = ("sum", "mean", "max", "min", "norm")
STARTS = {0: [], 1: [0], 4: [0, 1], 9: [0, 1, 2, 7]}
FEW = (32, 256)
"""Block sizes that are tried: a thread or a warp has a line to itself."""


def _lengths(shape: tuple[int, ...], axis: int) -> np.ndarray:
    """The largest number stands for all elements."""
    length = shape[1 + axis]
    kinds = (length, 1, max(1, length - 1), sys.maxsize)
    return np.array([kinds[i % 4] for i in range(shape[0])], np.int64)


def _ties(*shape: int) -> np.ndarray:
    """Few different numbers: the first of several largest is wanted."""
    return numbers(3, *shape).astype(np.float64)


LINES = [
    *(
        Case(
            reduce_axis,
            f"{fn} of {shape}, axis {axis}",
            (normal(*shape) + 1, _lengths(shape, axis), axis, fn),
            REAL,
            block_sizes=FEW,
        )
        for shape in BLOCKS
        for axis in range(len(shape) - 1)
        for fn in FUNCTIONS
    ),
    *(
        Case(
            reduce_axis,
            f"{fn} of extremes",
            (EXTREMES, np.full(len(EXTREMES), 8), 0, fn),
            REAL,
            scale=1e8 if fn == "variance" else 1.0,
            block_sizes=FEW,
        )
        for fn in FUNCTIONS
    ),
    Case(reduce_axis, "norm of large", (normal(3, 40) * 1e30, np.full(3, 40), 0, "norm"), REAL),
    *(
        Case(
            argmax_axis,
            f"{shape}, axis {axis}",
            (_ties(*shape), _lengths(shape, axis), axis),
            REAL,
            block_sizes=FEW,
        )
        for shape in BLOCKS
        for axis in range(len(shape) - 1)
    ),
    Case(argmax_axis, "extremes", (EXTREMES, np.full(len(EXTREMES), 8), 0), REAL),
]

PARTS = [
    *(
        Case(
            merge_argmax,
            f"{lines} lines of {parts} parts of {rest}",
            (
                numbers(5, lines * parts, *rest),
                _ties(lines * parts, *rest),
                np.tile(np.arange(parts) * 5, lines),
                lines,
            ),
            REAL,
            block_sizes=FEW,
        )
        for lines, parts in ((0, 2), (1, 1), (2, 3), (3, 4))
        for rest in ((), (3,), (2, 35))
    ),
    *(
        Case(
            merge_parts,
            f"{fn} of {m} parts of {rest}",
            (
                np.abs(normal(m, *rest)),
                numbers(9, m) + 1,
                np.array(STARTS[m], np.int64),
                fn,
                40,
            ),
            REAL,
            block_sizes=FEW,
        )
        for m in STARTS
        for rest in ((), (3,), (2, 35))
        for fn in MERGES
    ),
    *(
        Case(
            merge_parts,
            f"{fn} of extremes",
            (np.abs(EXTREMES), np.arange(len(EXTREMES)) + 1, np.array([0, 3, 7]), fn, 55),
            REAL,
            scale=1e4,
        )
        for fn in MERGES
    ),
]

GRID = [
    Case(
        reduce_grid,
        f"{fn} over {dropped} of {grid} blocks of {block}",
        (_ties(prod(grid), *block) - 1, grid, dropped, fn),
        REAL,
        block_sizes=FEW,
    )
    for grid, block, dropped in (
        ((2, 3), (2, 3), ((1, 8),)),
        ((2, 3), (2, 3), ((0, 4), (1, 9))),
        ((2, 3), (2, 3), ((0, 3), (1, 7))),
        ((2, 3), (2, 3), ()),
        ((3, 1, 2), (2, 33, 1), ((0, 5), (2, 2))),
        ((0, 2), (2, 3), ((0, 0),)),
        ((1,), (1,), ((0, 1),)),
    )
    for fn in ("max", "min", "argmax")
    if fn != "argmax" or len(dropped) == 1
]

SEGMENTS = [
    Case(
        segment_rows,
        f"{fn} of {n} rows in {shape}, {columns} beside each other, {count} segments by {rows}",
        (normal(*shape), numbers(count, n), columns, count, rows, fn),
        REAL,
        host=frozenset({1}),
        block_sizes=FEW,
    )
    for shape, columns, n, count, rows in (
        ((4, 3, 5), 2, 5, 4, 3),
        ((3, 4), 1, 11, 6, 2),
        ((2, 2, 33), 1, 3, 1, 1),
        ((0, 2, 3), 1, 0, 3, 2),
        ((2, 3, 2, 2), 2, 2, 0, 2),
    )
    for fn in ("sum", "mean", "max", "min")
    if n == 0 or count
]

CASES = [*LINES, *PARTS, *GRID, *SEGMENTS]
