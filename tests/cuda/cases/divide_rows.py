"""Blocks of one axis to three, norms shared by blocks, norms below the least."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.divide_rows import divide_rows
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers

ALL = (*STORED, "float64")
EPS = 1e-12
ON_HOST = frozenset({2})


def case(label: str, blocks: int, *block: int, groups: int = 3, **kwargs: Any) -> Case:
    norms = np.abs(normal(groups, *block[:-1])) + 0.1
    args = (normal(blocks, *block), norms, numbers(groups, blocks), EPS)
    return Case(divide_rows, label, args, host=ON_HOST, **kwargs)


CASES = [
    case("no blocks", 0, 3, 4, dtypes=ALL),
    case("no rows", 2, 0, 4, dtypes=ALL),
    case("no columns", 2, 3, 0, dtypes=ALL),
    case("vectors", 5, 33, dtypes=ALL),
    case("vectors of 8", 7, 8, dtypes=ALL),
    case("blocks of one row", 9, 1, 24, dtypes=ALL),
    case("blocks of 3 rows", 7, 3, 40, dtypes=ALL),
    case("blocks of 5 x 31", 4, 5, 31, dtypes=ALL),
    case("blocks of 2 x 3 x 16", 3, 2, 3, 16, dtypes=ALL),
    case("blocks of 64 x 64", 3, 64, 64, groups=2),
    case("misaligned", 3, 4, 16, dtypes=ALL, shifted=frozenset({0})),
    Case(
        divide_rows,
        "norms that are zero, small, infinite, NaN",
        (EXTREMES[:8], np.array([0, 1e-20, np.inf, np.nan, 2.0]), np.arange(8) % 5, 1e-3),
        REAL,
        host=ON_HOST,
    ),
]
