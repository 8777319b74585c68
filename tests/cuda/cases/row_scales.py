"""Rows of every width around a warp and a vector; zeros, denormals, NaN, infinities."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.row_scales import row_scales
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, normal, rows_apart

ALL = (*STORED, "float64")

EXACT = dict.fromkeys(ALL, 0.0)


def case(label: str, x: Any, dtypes: tuple[str, ...] = ("float32",)) -> Case:
    return Case(row_scales, label, (x,), dtypes, tolerances=EXACT)


CASES = [
    *(
        case(f"{rows}x{width}", rows_apart(rows, width), ALL)
        for rows, width in ((0, 4), (1, 1), (5, 31), (5, 32), (6, 33), (5, 384), (5, 1031))
    ),
    case("no columns", normal(3, 0)),
    case("extremes", EXTREMES, REAL),
    case("tiny", EXTREMES * 1e-36, REAL),
    case("zeros", np.zeros((3, 8)), ALL),
    case("many rows", normal(600, 8)),
]
