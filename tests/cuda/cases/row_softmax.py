"""Rows of every width around a warp and a vector; padding; extreme values."""

from __future__ import annotations

import numpy as np

from gpudb.kernels.row_softmax import row_softmax
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, normal

ALL = (*STORED, "float64")

CASES = [
    *(
        Case(row_softmax, f"{rows}x{stride}, {width} wide", (normal(rows, stride), width), ALL)
        for rows, stride, width in (
            (0, 4, 4),
            (3, 0, 0),
            (1, 1, 1),
            (2, 5, 3),
            (3, 31, 31),
            (3, 32, 32),
            (3, 33, 33),
            (2, 40, 33),
            (2, 384, 384),
            (1, 1031, 1031),
        )
    ),
    Case(row_softmax, "wider than shared memory", (normal(2, 13500), 13499), ALL),
    Case(row_softmax, "extremes", (np.array([row[:8] for row in EXTREMES]), 8), REAL),
    Case(row_softmax, "far from zero", (normal(3, 64) * 1e4, 64), REAL, scale=1.0),
]
