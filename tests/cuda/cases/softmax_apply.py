"""Blocks of one axis to three around a vector; states shared by blocks; extreme values."""

from __future__ import annotations

import numpy as np

from gpudb.kernels.softmax_apply import softmax_apply
from gpudb.kernels.softmax_state import softmax_state
from tests.cuda.cases.case import REAL, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers

ON_HOST = frozenset({2})


def case(label: str, blocks: int, *block: int, groups: int = 3) -> Case:
    states = np.abs(normal(groups, 2, *block[:-1])) + 1
    args = (normal(blocks, *block), states, numbers(groups, blocks))
    return Case(softmax_apply, label, args, REAL, host=ON_HOST)


with np.errstate(invalid="ignore"):  # inf - inf
    STATES = softmax_state.reference(EXTREMES, np.full(10, 8))

CASES = [
    case("no blocks", 0, 3, 4),
    case("no rows", 2, 0, 4),
    case("no columns", 2, 3, 0),
    case("vectors", 5, 33),
    case("vectors of 8", 7, 8),
    case("blocks of one row", 9, 1, 24),
    case("blocks of 3 rows", 7, 3, 40),
    case("blocks of 5 x 31", 4, 5, 31),
    case("blocks of 2 x 3 x 16", 3, 2, 3, 16),
    case("blocks of 64 x 64", 3, 64, 64, groups=2),
    Case(
        softmax_apply,
        "extremes",
        (EXTREMES, STATES, np.arange(10)),
        REAL,
        host=ON_HOST,
    ),
]
