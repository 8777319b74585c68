"""Rows around a warp and a vector; blocks of several axes; padding; extreme values."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.softmax_state import softmax_state
from tests.cuda.cases.case import REAL, Case
from tests.cuda.cases.values import EXTREMES, INF, normal


def case(x: Any, lengths: Any, label: str = "") -> Case:
    args = (x, np.array(lengths, np.int64))
    return Case(softmax_state, label or str(x.shape), args, REAL, host=frozenset({1}))


RISING = np.tile(np.arange(200.0), (2, 3, 1))
RISING[:, 1, :100] = -INF

CASES = [
    case(normal(0, 3, 4), []),
    case(normal(2, 0, 4), [4, 2]),
    case(normal(2, 1), [1, 1]),
    case(normal(3, 5), [5, 1, 4]),
    case(normal(6, 3, 4), [4, 4, 3] * 2),
    case(normal(2, 2, 3, 5), [5, 4]),
    case(normal(2, 5, 31), [31, 30]),
    case(normal(2, 5, 32), [32, 1]),
    case(normal(2, 5, 33), [33, 32]),
    case(normal(3, 3, 40), [40, 37, 3]),
    case(normal(2, 35, 20), [20, 19]),
    case(normal(1, 2, 1100), [1099]),
    case(normal(2, 3, 40) * 1e4, [40, 33], "far from zero"),
    case(RISING[..., :20], [20, 2], "rising"),
    case(RISING, [200, 90], "rising, of a warp"),
    case(EXTREMES, [8] * 10, "extremes"),
    case(np.tile(EXTREMES, 8), [64] * 10, "extremes of a warp"),
]
