"""Every axis; lines around a warp and a vector; ties; padding; extreme values."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.argmax_axis import argmax_axis
from tests.cuda.cases.case import REAL, Case
from tests.cuda.cases.values import EXTREMES, INF, NAN, normal, numbers


def case(x: Any, lengths: Any, axis: int, label: str = "") -> Case:
    label = f"{label or x.shape} along {axis}"
    args = (x, np.array(lengths, np.int64), axis)
    return Case(argmax_axis, label, args, REAL, host=frozenset({1}), exact=True)


def ties(*shape: int) -> Any:
    return numbers(3, *shape).astype(np.float64)


CASES = [
    case(normal(0, 3, 4), [], 1),
    case(normal(2, 0, 4), [4, 2], 1),
    case(normal(2, 4), [4, 1], 0),
    case(normal(6, 3, 4), [4, 4, 3] * 2, 1),
    case(normal(3, 2, 3, 5), [2, 1, 2], 0),
    case(normal(3, 2, 3, 5), [3, 1, 2], 1),
    case(ties(2, 33, 31), [33, 17], 0),
    case(ties(2, 5, 31), [31, 30], 1),
    case(ties(2, 5, 33), [33, 32], 1),
    case(ties(3, 3, 40), [40, 37, 3], 1),
    case(ties(1, 130, 35), [129], 0),
    case(normal(1, 70, 65), [67], 0),
    case(ties(1, 2, 1100), [1099], 1),
    case(normal(1, 2, 1100), [1099], 1, "normal"),
    case(EXTREMES, [8] * 10, 0, "extremes"),
    case(EXTREMES.T[None], [8], 0, "extremes below each other"),
    case(np.tile(EXTREMES, 8), [64] * 10, 0, "extremes of a warp"),
    case(np.array([[-0.0, 0.0, -1.0], [0.0, -0.0, -1.0]]), [3, 3], 0, "signed zeros"),
    case(np.array([[1.0, -NAN, NAN], [INF, NAN, -NAN]]), [3, 3], 0, "NaN of both signs"),
]
