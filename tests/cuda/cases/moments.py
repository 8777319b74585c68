"""Every axis; lines around a warp and a vector; padding; far from zero; extreme values."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.moments import moments
from tests.cuda.cases.case import REAL, Case
from tests.cuda.cases.values import EXTREMES, normal, outlier_first

EXACT_SUMS = {"float32": 1e-13, "float64": 1e-13}
"""Sums and results are float64 whatever the elements are."""


def case(x: Any, lengths: Any, axis: int, label: str = "", scale: float = 1.0) -> Case:
    label = f"{label or x.shape} along {axis}"
    args = (x, np.array(lengths, np.int64), axis)
    host = frozenset({1})
    return Case(moments, label, args, REAL, host=host, scale=scale, tolerances=EXACT_SUMS)


CASES = [
    case(normal(0, 3, 4), [], 1),
    case(normal(2, 0, 4), [4, 2], 1),
    case(normal(2, 4), [4, 1], 0),
    case(normal(6, 3, 4), [4, 4, 3] * 2, 1),
    case(normal(3, 2, 3, 5), [2, 1, 2], 0),
    case(normal(3, 2, 3, 5), [3, 1, 2], 1),
    case(normal(2, 33, 31), [33, 17], 0),
    case(normal(2, 5, 31), [31, 30], 1),
    case(normal(2, 5, 33), [33, 32], 1),
    case(normal(3, 3, 40), [40, 37, 3], 1),
    case(normal(1, 70, 65), [67], 0),
    case(normal(1, 2, 1100), [1099], 1),
    case(normal(2, 3, 40) + 1e4, [40, 33], 1, "far from zero", scale=1e3),
    *(case(outlier_first(2, 3, n), [n, 3], 1, f"outlier of {n}") for n in (20, 1500)),
    case(EXTREMES, [8] * 10, 0, "extremes"),
    case(np.tile(EXTREMES, 8), [64] * 10, 0, "extremes of a warp"),
]
