"""Groups of one block and of many; blocks around a vector; half types; sums in order."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.segment_sum import segment_sum
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, normal

ALL = (*STORED, "float64")


def case(x: Any, starts: Any, label: str = "", dtypes: Any = ALL, **kwargs: Any) -> Case:
    args = (x, np.array(starts, np.int64))
    label = label or f"{x.shape} from {starts}"
    return Case(segment_sum, label, args, dtypes, host=frozenset({1}), **kwargs)


CASES = [
    case(normal(0, 2, 3), []),
    case(normal(1, 2, 3), [0]),
    case(normal(5, 2, 3), [0, 1, 4]),
    case(normal(5, 0, 3), [0, 1, 4]),
    case(normal(6), [0, 2, 3]),
    case(normal(9, 8), [0, 1, 2, 8]),
    case(normal(6, 3, 16), [0, 5]),
    case(normal(7, 5, 31), [0, 3]),
    case(normal(4, 64, 64), [0, 3]),
    case(normal(40, 2, 4), [0], "one group of many"),
    case(EXTREMES, [0, 2, 4, 8], "extremes", REAL),
    case(EXTREMES[4:6], [0], "infinities of both signs"),
    # In any other order the small number would survive.
    case(np.array([[1e8], [1.0], [-1e8]]), [0], "in order", ("float64",), exact=True),
]
