"""Lines of one part and of many; ties; NaN; no parts; extreme values."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.merge_argmax import merge_argmax
from tests.cuda.cases.case import REAL, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers


def case(values: Any, lines: int, label: str = "") -> Case:
    args = (numbers(9, *values.shape), values, np.arange(len(values)) * 9, lines)
    label = f"{label or values.shape} in {lines} lines"
    return Case(merge_argmax, label, args, REAL, host=frozenset({2}), exact=True)


def ties(*shape: int) -> Any:
    return numbers(3, *shape).astype(np.float64)


CASES = [
    case(normal(0, 2), 0),
    case(normal(0, 2), 3),
    case(normal(6, 0), 3),
    case(normal(1), 1),
    case(normal(6, 2), 2),
    case(normal(3, 2), 3),
    case(ties(12, 33), 3),
    case(ties(40, 2, 5), 1),
    case(ties(8, 131), 2),
    case(EXTREMES, 2, "extremes"),
    case(EXTREMES.T, 1, "extremes of a line"),
    case(np.array([[-0.0], [0.0], [0.0], [-0.0]]), 2, "signed zeros"),
]
