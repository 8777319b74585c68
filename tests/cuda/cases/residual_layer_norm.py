"""With and without bias; widths around a warp and a vector; each array misaligned."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.residual_layer_norm import residual_layer_norm
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, normal, rows_apart

ALL = (*STORED, "float64")
EPS = 1e-12


def case(label: str, rows: int, width: int, biased: bool = True, **kwargs: Any) -> Case:
    x, residual = normal(rows, width), normal(rows, width, seed=1)
    bias, gamma, beta = (normal(width, seed=seed) for seed in (2, 3, 4))
    args = (x, bias if biased else None, residual, gamma, beta, EPS)
    return Case(residual_layer_norm, label, args, **kwargs)


CASES = [
    *(
        case(f"{rows} rows of {width}", rows, width, dtypes=ALL)
        for rows, width in (
            (0, 4),
            (3, 2),
            (3, 31),
            (2, 32),
            (3, 33),
            (5, 384),
            (2, 768),
            (1, 1031),
        )
    ),
    case("many rows", 500, 40),
    case("without bias", 3, 384, biased=False, dtypes=ALL),
    case("without bias, not in vectors", 3, 33, biased=False, dtypes=ALL),
    *(
        case(f"argument {place} misaligned", 3, 64, dtypes=ALL, shifted=frozenset({place}))
        for place in range(5)
    ),
    case("wider than shared memory", 2, 13500, dtypes=REAL),
    Case(
        residual_layer_norm,
        "far from zero, tiny, large, constant",
        (rows_apart(6, 384), None, np.zeros((6, 384)), normal(384), normal(384, seed=1), EPS),
        REAL,
        scale=20.0,  # the mean of the second row is 100 deviations from zero
    ),
    Case(
        residual_layer_norm,
        "extremes",
        (EXTREMES, np.zeros(8), np.zeros_like(EXTREMES), np.ones(8), np.zeros(8), 1e-5),
        REAL,
    ),
    Case(
        residual_layer_norm,
        "extremes in the residual",
        (np.ones_like(EXTREMES), normal(8), EXTREMES, np.ones(8), np.zeros(8), 1e-5),
        REAL,
        scale=1e3,  # 1e4 and a bias of about 1 are rounded when they are added
    ),
]
