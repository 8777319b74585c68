"""One part and several; parts without blocks; blocks of any length."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.place_blocks import place_blocks
from tests.cuda.cases.case import STORED, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers

ALL = (*STORED, "float64")


def case(block: tuple[int, ...], places: list[list[int]], **kwargs: Any) -> Case:
    parts = [normal(len(place), *block, seed=number) for number, place in enumerate(places)]
    args = (parts, [np.array(place, np.int64) for place in places])
    label = f"{block}, {'+'.join(str(len(place)) for place in places)}"
    return Case(place_blocks, label, args, exact=True, **kwargs)


CASES = [
    *(case((n,), [[0, 3], [2], [1, 4]], dtypes=ALL) for n in (1, 7, 8, 31, 32, 33, 64)),
    case((2,), [[]]),
    case((2, 3), [[1, 0], [], [2]]),
    case((0,), [[1], [0]]),
    case((), [[2, 0], [1]]),
    case((3, 5, 24), [[1, 2], [0]], dtypes=ALL, host=frozenset({1})),
    case((40,), [list(range(0, 600, 2)), list(range(1, 600, 2))]),
    Case(
        place_blocks,
        "extremes",
        ([EXTREMES[:3], EXTREMES[3:]], [np.array([9, 0, 4]), np.array([1, 2, 3, 5, 6, 7, 8])]),
        ALL,
        exact=True,
    ),
    *(
        Case(
            place_blocks,
            f"{kind}, places int32",
            (
                [numbers(100, 2, 16).astype(kind), numbers(100, 1, 16).astype(kind)],
                [np.array([2, 0], np.int32), np.array([1], np.int32)],
            ),
            exact=True,
        )
        for kind in ("int64", "int32", "int8")
    ),
]
