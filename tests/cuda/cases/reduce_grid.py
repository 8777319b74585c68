"""One axis, several, none; last blocks that are shorter; blocks with one element of the tensor."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from gpudb.kernels.reduce_grid import reduce_grid
from tests.cuda.cases.case import REAL, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers

EXTREME_FUNCTIONS = ("max", "min")


def case(grid: Any, block: Any, dropped: Any, fn: str, x: Any = None, label: str = "") -> Case:
    x = normal(prod(grid), *block) if x is None else x.reshape(prod(grid), *block)
    label = f"{fn} of {label or 'a grid'} {grid} of {block} without {dropped}"
    return Case(reduce_grid, label, (x, grid, dropped, fn), REAL, exact=True)


GRIDS = [
    ((2, 3), (2, 3), ((1, 8),)),
    ((2, 3), (2, 3), ((0, 4),)),
    ((2, 3), (2, 3), ((0, 4), (1, 9))),
    ((2, 3), (2, 3), ((0, 3), (1, 7))),
    ((2, 3), (2, 3), ()),
    ((1, 2), (5, 3), ((0, 3),)),  # one block, shorter than it could be
    ((1, 2), (5, 3), ((0, 3), (1, 5))),
    ((1, 2), (5, 3), ((0, 0),)),  # nothing to combine
    ((0, 3), (2, 3), ((1, 9),)),  # no blocks
    ((2, 2, 3), (2, 3, 5), ((1, 5),)),
    ((2, 2, 3), (2, 3, 5), ((0, 3), (2, 11))),
    ((3, 2), (33, 31), ((0, 70),)),
    ((2, 5), (3, 32), ((1, 129),)),
    ((4,), (7,), ((0, 25),)),
]

ARGMAX = [grid for grid in GRIDS if len(grid[2]) == 1]

TIES = numbers(3, 3 * 2, 5, 7).astype(np.float64)

CASES = [
    *(case(*grid, fn) for grid in GRIDS for fn in EXTREME_FUNCTIONS),
    *(case(*grid, "argmax") for grid in ARGMAX),
    *(case((3, 2), (5, 7), ((axis, 12),), "argmax", TIES, "ties") for axis in (0, 1)),
    *(
        case((10,), (8,), ((0, 79),), fn, EXTREMES, "extremes")
        for fn in (*EXTREME_FUNCTIONS, "argmax")
    ),
    *(
        case((8, 1), (1, 10), ((0, 8),), fn, EXTREMES.T, "extremes")
        for fn in (*EXTREME_FUNCTIONS, "argmax")
    ),
]
