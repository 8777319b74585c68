"""Rows of one part and of many; parts of -inf only, rows of -inf only; extreme values."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.merge_softmax import merge_softmax
from tests.cuda.cases.case import REAL, Case
from tests.cuda.cases.values import EXTREMES, INF, NAN, normal


def case(states: Any, starts: Any, label: str = "") -> Case:
    args = (states, np.array(starts, np.int64))
    label = label or f"{states.shape} from {starts}"
    return Case(merge_softmax, label, args, REAL, host=frozenset({1}))


def states(*shape: int) -> Any:
    x = normal(*shape) * 3
    x[:, 1] = np.abs(x[:, 1]) + 1  # a sum of exp is 1 at least
    return x


PARTS = np.array(
    [
        [[1.0, -INF, -INF, INF, 1.0, NAN, 3e4], [2.0, 0.0, 0.0, NAN, 3.0, NAN, 1.0]],
        [[3.0, 2.0, -INF, 1.0, NAN, 0.0, -3e4], [1.5, 1.0, 0.0, 2.0, NAN, 1.0, 2.0]],
    ]
)
"""Rows of ordinary parts, of -inf in one part and in both, with inf, with NaN, far apart."""

CASES = [
    case(np.zeros((0, 2, 3)), []),
    case(states(1, 2, 1), [0]),
    case(states(6, 2, 3), [0, 3]),
    case(states(6, 2), [0, 1, 5]),
    case(states(5, 2, 0), [0, 1]),
    case(states(9, 2, 3, 11), [0, 1, 2]),
    case(states(7, 2, 131), [0, 4]),
    case(states(40, 2, 2), [0], "one row of many parts"),
    case(PARTS, [0], "infinities and NaN merged"),
    case(PARTS, [0, 1], "infinities and NaN apart"),
    case(np.stack([EXTREMES, np.abs(EXTREMES)], axis=1), [0, 4, 6], "extremes"),
]
