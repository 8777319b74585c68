"""Every function along every axis; lines around a warp and a vector; padding; extreme values."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from gpudb.kernels.reduce_axis import FUNCTIONS, reduce_axis
from tests.cuda.cases.case import REAL, Case
from tests.cuda.cases.values import EXTREMES, INF, NAN, normal, outlier_first

LENGTHS = frozenset({1})
OF_NOTHING = ("sum", "norm")
"""What a line without elements has."""


def case(x: Any, lengths: Any, axis: int, fn: str, label: str = "", **kwargs: Any) -> Case:
    label = f"{fn} {label or 'of ' + str(x.shape)} along {axis}"
    exact = fn in ("max", "min")
    args = (x, np.array(lengths, np.int64), axis, fn)
    return Case(reduce_axis, label, args, REAL, host=LENGTHS, exact=exact, **kwargs)


LINES = [
    (normal(0, 3, 4), [], 1),
    (normal(2, 0, 4), [4, 2], 1),  # no lines
    (normal(2, 4), [4, 1], 0),
    (normal(2, 3, 4), [3, 2], 0),
    (normal(6, 3, 4), [4, 4, 3] * 2, 1),
    (normal(3, 2, 3, 5), [2, 1, 2], 0),
    (normal(3, 2, 3, 5), [3, 1, 2], 1),
    (normal(2, 3, 5, 7), [7, 6], 2),
    (normal(2, 33, 31), [33, 17], 0),
    (normal(2, 5, 31), [31, 30], 1),
    (normal(2, 5, 32), [32, 1], 1),
    (normal(2, 5, 33), [33, 32], 1),
    (normal(3, 3, 40), [40, 37, 3], 1),
    (normal(1, 70, 65), [67], 0),
    (normal(1, 2, 1100), [1099], 1),
]

TINY = normal(1, 2, 40) * 1e-300

APART = normal(3, 40, 40) * np.array([1e300, 1e-300, 0]).reshape(3, 1, 1)

CASES = [
    *(case(x, lengths, axis, fn) for x, lengths, axis in LINES for fn in FUNCTIONS),
    *(
        case(normal(2, *block), [sys.maxsize, 3], axis, fn, "all that there is")
        for fn in FUNCTIONS
        for block, axis in (((40,), 0), ((5, 9), 0))
    ),
    *(case(normal(2, 3, 4), [0, 2], axis, fn, "nothing") for fn in OF_NOTHING for axis in (0, 1)),
    *(case(normal(2, 2, 40), [0, 40], 1, fn, "nothing wide") for fn in OF_NOTHING),
    *(case(normal(2, 2, 0), [0, 0], 1, fn, "no elements") for fn in OF_NOTHING),
    *(case(EXTREMES, [8] * 10, 0, fn, "extremes") for fn in FUNCTIONS),
    *(case(EXTREMES.T[None], [8], 0, fn, "extremes") for fn in FUNCTIONS),
    *(case(np.tile(EXTREMES, 8), [64] * 10, 0, fn, "extremes of a warp") for fn in FUNCTIONS),
    *(
        case(normal(2, 3, 40) + 1e4, [40, 33], 1, fn, "far from zero")
        for fn in ("mean", "variance")
    ),
    *(
        case(np.array([[1.0, -NAN, INF], [-NAN, -INF, 2.0]]), [3, 3], 0, fn, "negative NaN")
        for fn in FUNCTIONS
    ),
    case(normal(2, 40, 8) * 1e30, [40, 33], 0, "norm", "large"),
    *(case(outlier_first(2, 3, n), [n, 3], 1, "variance", f"outlier of {n}") for n in (20, 1500)),
    Case(
        reduce_axis,
        "norm of tiny elements",
        (TINY, np.array([40]), 1, "norm"),
        ("float64",),
        host=LENGTHS,
        scale=1e-300,
    ),
    *(
        Case(
            reduce_axis,
            f"norm of squares that overflow and vanish along {axis}",
            (APART, np.array([40, 40, 39]), axis, "norm"),
            ("float64",),
            host=LENGTHS,
            scale=1e-300,
        )
        for axis in (0, 1)
    ),
]
