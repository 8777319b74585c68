"""Widths around a warp and a vector; norms zero, small, infinite; squares that overflow."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.normalize import normalize
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, normal

ALL = (*STORED, "float64")
EPS = 1e-12


def case(label: str, rows: int, width: int, **kwargs: Any) -> Case:
    return Case(normalize, label, (normal(rows, width), EPS), **kwargs)


CASES = [
    *(
        case(f"{rows} rows of {width}", rows, width, dtypes=ALL)
        for rows, width in ((0, 4), (3, 0), (3, 1), (3, 31), (2, 32), (3, 33), (5, 384), (2, 1031))
    ),
    case("many rows", 500, 40),
    case("misaligned", 3, 64, dtypes=ALL, shifted=frozenset({0})),
    case("wider than shared memory", 2, 13500, dtypes=REAL),
    case("wider than shared memory, misaligned", 2, 13500, dtypes=REAL, shifted=frozenset({0})),
    Case(normalize, "squares overflow", (normal(3, 40) * 1e30, EPS)),
    Case(normalize, "squares of negative elements overflow", (-np.full((3, 40), 1e30), EPS)),
    Case(normalize, "squares overflow in double", (normal(3, 40) * 1e300, EPS), ("float64",)),
    Case(normalize, "squares overflow, wide", (normal(2, 13500) * 1e30, EPS)),
    Case(normalize, "all below the least norm", (normal(3, 40) * 1e-4, 1.0), REAL),
    Case(normalize, "extremes", (EXTREMES, EPS), REAL),
    Case(normalize, "zeros", (np.zeros((2, 8)), EPS), REAL),
]
