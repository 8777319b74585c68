"""Scales that fit, that cut off and that are not numbers; steps in the middle; any width."""

from __future__ import annotations

import numpy as np

from gpudb.kernels.quantize import quantize
from gpudb.kernels.row_scales import row_scales
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, INF, NAN, normal, rows_apart

ALL = (*STORED, "float64")
SCALES = frozenset({1})


def scales(x: np.ndarray) -> np.ndarray:
    return row_scales.reference(x)


def case(label: str, x: np.ndarray, of_rows: np.ndarray, dtypes: tuple[str, ...]) -> Case:
    return Case(quantize, label, (x, of_rows.astype(np.float32)), dtypes, wide=SCALES)


CASES = [
    *(
        case(f"{rows}x{width}", rows_apart(rows, width), scales(rows_apart(rows, width)), ALL)
        for rows, width in ((0, 4), (1, 1), (5, 31), (5, 32), (6, 33), (9, 384), (5, 1031))
    ),
    case("no columns", normal(3, 0), np.ones(3), ALL),
    case("cut off", normal(5, 40), np.full(5, 0.001), ALL),
    case("in the middle", np.arange(-8, 8)[None] / 2.0, np.ones(1), ALL),
    case("extremes", EXTREMES, np.ones(10), REAL),
    case("extremes by their scales", EXTREMES, scales(EXTREMES), REAL),
    case("scales that are not numbers", normal(3, 8), np.array([NAN, INF, 0.0]), REAL),
    case("many rows", normal(600, 8), np.ones(600), ("float32",)),
]
