"""Tails along every axis; no block, no tail, numbers in any order."""

from __future__ import annotations

import numpy as np

from gpudb.kernels.clear_tail import clear_tail
from tests.cuda.cases.case import Case
from tests.cuda.cases.values import normal

ALL = ("float32", "float64", "float16", "bfloat16")

CASES = [
    Case(
        clear_tail,
        f"{shape} of {rows}, axis {axis} from {start}",
        (normal(*shape), np.array(rows, np.int64), axis, start),
        ALL,
        host=frozenset({1}),
        exact=True,
        overwrites=True,
    )
    for shape, rows, axis, start in (
        ((4, 3, 5), [1, 3], 0, 1),
        ((4, 3, 5), [3, 0], 1, 4),
        ((4, 3, 5), [], 1, 2),
        ((4, 3, 5), [2], 1, 5),
        ((3, 33, 2, 7), [0, 2], 0, 31),
        ((3, 2, 40), [0, 1, 2], 1, 0),
        ((5, 9), [4], 0, 8),
        ((0, 2, 2), [], 0, 1),
    )
]
