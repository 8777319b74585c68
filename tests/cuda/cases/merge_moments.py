"""Lines of one part and of many; empty parts; parts whose means lie far apart; extreme values."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.merge_moments import merge_moments
from tests.cuda.cases.case import Case
from tests.cuda.cases.values import EXTREMES, normal

HOST = frozenset({1, 2})
DOUBLE = ("float64",)


def case(states: Any, counts: Any, starts: Any, label: str = "", scale: float = 1.0) -> Case:
    args = (states, np.array(counts, np.int64), np.array(starts, np.int64))
    label = label or f"{states.shape} from {starts}"
    return Case(merge_moments, label, args, DOUBLE, host=HOST, scale=scale)


def states(*shape: int) -> Any:
    x = normal(*shape)
    x[:, 1] = np.abs(x[:, 1])
    return x


CASES = [
    case(np.zeros((0, 2, 3)), [], []),
    case(states(1, 2, 1), [4], [0]),
    case(states(6, 2, 3), range(1, 7), [0, 3]),
    case(states(6, 2), range(1, 7), [0, 1, 5]),
    case(states(5, 2, 0), range(1, 6), [0, 1]),
    case(states(9, 2, 3, 11), [7] * 9, [0, 1, 2]),
    case(states(7, 2, 131), [64] * 6 + [3], [0, 4]),
    case(states(40, 2, 2), [32] * 40, [0], "one line of many parts"),
    case(states(4, 2, 3), [0, 3, 0, 0], [0, 2], "parts and a line without elements"),
    case(states(6, 2, 3) + 1e6, [8] * 6, [0, 3], "far from zero", scale=1e6),
    case(np.stack([EXTREMES, np.abs(EXTREMES)], axis=1), [3] * 10, [0, 4, 6], "extremes"),
]
