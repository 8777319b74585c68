"""Blocks that are there, missing, taken twice; of any length; no blocks at all to take from."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.take_or_zero import take_or_zero
from tests.cuda.cases.case import STORED, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers

ALL = (*STORED, "float64")


def case(shape: tuple[int, ...], rows: list[int], **kwargs: Any) -> Case:
    label = f"{len(rows)} of {'×'.join(map(str, shape))}"
    return Case(
        take_or_zero, label, (normal(*shape), np.array(rows, np.int64)), exact=True, **kwargs
    )


CASES = [
    *(case((3, n), [2, -1, 0, 2], dtypes=ALL) for n in (1, 7, 8, 31, 32, 33, 64)),
    case((3, 2, 2), []),
    case((3, 2, 2), [-1]),
    case((3, 0), [1, -1]),
    case((0, 4), [-1, -1]),
    case((4,), [3, -1, 0, 0]),
    case((5, 3, 5, 24), [4, -1, 4], dtypes=ALL, host=frozenset({1})),
    case((9, 40), [*range(-1, 9)] * 60),
    Case(take_or_zero, "extremes", (EXTREMES, np.array([9, -1, 6, 5])), ALL, exact=True),
    *(
        Case(
            take_or_zero,
            f"{kind}, numbers int32",
            (numbers(100, 3, 16).astype(kind), np.array([2, -1, 0], np.int32)),
            exact=True,
        )
        for kind in ("int64", "int32", "int8")
    ),
]
