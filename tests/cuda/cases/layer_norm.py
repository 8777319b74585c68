"""Widths around a warp and a vector, padding, misaligned rows, rows far from zero."""

from __future__ import annotations

import numpy as np

from gpudb.kernels.layer_norm import layer_norm
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, normal, rows_apart

ALL = (*STORED, "float64")
EPS = 1e-12


def case(label: str, rows: int, width: int, stride: int | None = None, **kwargs: object) -> Case:
    x = normal(rows, stride or width)
    gamma, beta = normal(width, seed=1), normal(width, seed=2)
    return Case(layer_norm, label, (x, gamma, beta, EPS), **kwargs)  # type: ignore[arg-type]


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
            (2, 1031),
        )
    ),
    case("many rows", 500, 40),
    case("padded", 3, 33, 40, dtypes=ALL),
    case("padded, rows not in step with vectors", 3, 33, 35, dtypes=ALL),
    case("misaligned", 3, 64, dtypes=ALL, shifted=frozenset({0})),
    case("gamma misaligned", 3, 64, dtypes=ALL, shifted=frozenset({1})),
    case("beta misaligned", 3, 64, dtypes=ALL, shifted=frozenset({2})),
    case("wider than shared memory", 2, 13500, dtypes=ALL),
    case("wider than shared memory, padded", 2, 13499, 13500, dtypes=REAL),
    Case(layer_norm, "one element", (normal(3, 1), normal(1), normal(1, seed=1), EPS), ALL),
    Case(
        layer_norm,
        "far from zero, tiny, large, constant",
        (rows_apart(6, 384), normal(384, seed=1), normal(384, seed=2), EPS),
        REAL,
        scale=20.0,  # the mean of the second row is 100 deviations from zero
    ),
    Case(layer_norm, "extremes", (EXTREMES, np.ones(8), np.zeros(8), 1e-5), REAL),
]
