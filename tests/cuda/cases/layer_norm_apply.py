"""Blocks of one axis to three around a vector; moments shared by blocks; rows far from zero."""

from __future__ import annotations

import numpy as np

from gpudb.kernels.layer_norm_apply import layer_norm_apply
from tests.cuda.cases.case import REAL, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers

EPS = 1e-5
WIDE = frozenset({1})
ON_HOST = frozenset({2, 5})


def case(label: str, blocks: int, *block: int, groups: int = 3, mean: float = 0.0) -> Case:
    width, columns = block[-1], 2
    moments = np.abs(normal(groups, 2, *block[:-1])) + 0.5
    moments[:, 1] *= columns * width
    moments[:, 0] += mean
    affine = (normal(columns, width, seed=1), normal(columns, width, seed=2))
    where = (numbers(groups, blocks), *affine, numbers(columns, blocks, seed=3))
    args = (normal(blocks, *block) + mean, moments, *where, columns * width, EPS)
    return Case(layer_norm_apply, label, args, REAL, wide=WIDE, host=ON_HOST)


ONES, ZEROS, FIRST = np.ones((1, 8)), np.zeros((1, 8)), np.zeros(10, np.int64)

CASES = [
    case("no blocks", 0, 3, 4),
    case("no rows", 2, 0, 4),
    case("vectors", 5, 33),
    case("vectors of 8", 7, 8),
    case("blocks of one row", 9, 1, 24),
    case("blocks of 3 rows", 7, 3, 40),
    case("blocks of 5 x 31", 4, 5, 31),
    case("blocks of 2 x 3 x 16", 3, 2, 3, 16),
    case("blocks of 64 x 64", 3, 64, 64, groups=2),
    case("far from zero", 4, 3, 16, mean=1e4),
    Case(
        layer_norm_apply,
        "extremes, and moments without a difference",
        (EXTREMES, np.array([[7.0, 0.0]]), FIRST, ONES, ZEROS, FIRST, 8, EPS),
        REAL,
        wide=WIDE,
        host=ON_HOST,
        scale=1e3,
    ),
    Case(
        layer_norm_apply,
        "moments that are NaN and infinite",
        (
            EXTREMES,
            np.array([[np.nan, 1.0], [1.0, np.inf]]),
            np.arange(10) % 2,
            ONES,
            ZEROS,
            FIRST,
            8,
            EPS,
        ),
        REAL,
        wide=WIDE,
        host=ON_HOST,
    ),
]
