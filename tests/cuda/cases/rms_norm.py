"""Widths around a warp and a vector, misaligned rows, mean squares zero, small, overflowing."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.rms_norm import rms_norm
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, normal

ALL = (*STORED, "float64")
EPS = 1e-6


def case(label: str, rows: int, width: int, **kwargs: Any) -> Case:
    return Case(rms_norm, label, (normal(rows, width), normal(width, seed=1), EPS), **kwargs)


CASES = [
    *(
        case(f"{rows} rows of {width}", rows, width, dtypes=ALL)
        for rows, width in ((0, 4), (3, 0), (3, 1), (3, 31), (2, 32), (3, 33), (5, 384), (2, 1031))
    ),
    case("many rows", 500, 40),
    case("misaligned", 3, 64, dtypes=ALL, shifted=frozenset({0})),
    case("gamma misaligned", 3, 64, dtypes=ALL, shifted=frozenset({1})),
    case("wider than shared memory", 2, 13500, dtypes=REAL),
    Case(
        rms_norm,
        "squares beyond float16",
        (normal(3, 40) * 1e3, normal(40, seed=1), EPS),
        ALL,
    ),
    Case(rms_norm, "extremes", (EXTREMES, np.ones(8), 1e-5), REAL),
    Case(rms_norm, "zeros", (np.zeros((2, 8)), np.ones(8), EPS), REAL),
]
