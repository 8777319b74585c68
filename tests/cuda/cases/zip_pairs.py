"""Every function; blocks that are missing on either side; axes moved, repeated, absent."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.elementwise import ZIPS
from gpudb.kernels.zip_pairs import zip_pairs
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, normal

ALL = (*STORED, "float64")
SHIFTED = ((0, "add"), (1, "divide"))
"""Which side lies across boundaries of 16 bytes, and a function."""


def case(
    x: tuple[int, ...],
    y: tuple[int, ...],
    order: tuple[int | None, ...],
    rows: tuple[list[int], list[int]] = ([2, -1, 0, 1], [0, 1, -1, 1]),
    fn: str = "subtract",
    **kwargs: Any,
) -> Case:
    rows_x, rows_y = (np.array(numbers, np.int64) for numbers in rows)
    args = (normal(*x), normal(*y, seed=1), rows_x, rows_y, order, fn)
    label = f"{fn} of {x[1:]} and {y[1:]} in order {order}, {len(rows_x)} pairs"
    return Case(zip_pairs, label, args, **kwargs)


def extremes(fn: str) -> Case:
    """Every row with every other, and with zeros."""
    left, right = (grid.ravel() for grid in np.mgrid[-1:10, -1:10])
    args = (EXTREMES, EXTREMES, left, right, (0,), fn)
    return Case(zip_pairs, f"{fn} of extremes", args, REAL)


CASES = [
    *(case((3, 5, 16), (2, 5, 16), (0, 1), fn=fn, dtypes=ALL) for fn in ZIPS),
    *map(extremes, ZIPS),
    *(case((3, n), (2, n), (0,), dtypes=ALL) for n in (1, 31, 32, 33)),
    case((3, 2, 1, 4), (2, 5, 4), (None, 0, 1)),
    case((3, 2, 1, 4), (2, 5, 4), (None, 0, 1), ([1], [1])),
    case((3, 2, 1, 4), (2, 5, 4), (None, 0, 1), ([], [])),
    case((3, 0), (2, 0), (0,)),
    case((3, 17, 1), (2, 32), (None, 0), dtypes=ALL),
    case((3, 32, 17), (2, 17, 32), (1, 0), dtypes=ALL),
    case((3, 3, 40), (2, 40, 3), (1, 0), dtypes=ALL),
    case((3, 2, 3, 40), (2, 40, 2, 3), (1, 2, 0), dtypes=REAL),
    case((3, 17, 32), (2, 17), (0, None), dtypes=ALL, host=frozenset({2, 3})),
    case((3, 1, 32), (2, 17, 1), (0, 1), dtypes=ALL),
    case((3, 2, 3, 2, 3, 1, 1, 1, 1), (2, 2, 3, 2, 3), (None, None, None, None, 3, 2, 1, 0)),
    *(case((3, 5, 32), (2, 5, 32), (0, 1), fn=fn, shifted=frozenset({n})) for n, fn in SHIFTED),
    case((3, 5, 16), (2, 5, 16), (0, 1), ([0, 1, 2] * 200, [1, -1] * 300)),
    case((3, 5, 17), (2, 5, 17), (0, 1), dtypes=STORED, wide=frozenset({0})),
]
