"""Axes in front, in the middle and at the end that repeat; several at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.broadcast_blocks import broadcast_blocks
from tests.cuda.cases.case import STORED, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers

ALL = (*STORED, "float64")


def case(
    shape: tuple[int, ...],
    rows: list[int],
    block: tuple[int, ...],
    repeated: tuple[int, ...],
    **kwargs: Any,
) -> Case:
    label = f"{shape[1:]} to {block}, {repeated} repeated, {len(rows)} of {shape[0]}"
    args = (normal(*shape), np.array(rows, np.int64), block, repeated)
    return Case(broadcast_blocks, label, args, exact=True, **kwargs)


CASES = [
    case((3, 2), [0, 0, 2], (3, 4, 2), (0, 1)),
    case((3, 2), [1], (3, 4, 2), (0, 1)),
    case((3, 2), [], (4, 2), (0,)),
    case((3, 0), [1], (4, 0), (0,)),
    case((3, 1, 2), [2, 0], (4, 2), (0,)),
    case((3, 64), [2, 0], (33, 64), (0,), dtypes=ALL),
    case((3, 63), [2, 0], (33, 63), (0,), dtypes=ALL),
    case((3, 5, 1), [2, 0], (5, 32), (1,), dtypes=ALL),
    case((3, 5, 8), [2, 0], (5, 33), (1,), dtypes=ALL),
    case((3, 5, 8), [2, 0], (5, 8), (), dtypes=ALL),
    case((2, 1, 3, 1), [1, 0], (5, 3, 16), (0, 2), host=frozenset({1})),
    case((2, 1), [1], (1,), (0,)),
    case((2, 1, 2, 1, 2, 1, 2, 1, 2), [1, 0, 1], (2, 2, 3, 2, 3, 2, 2, 2), (0, 2, 4, 6)),
    Case(
        broadcast_blocks,
        "extremes",
        (EXTREMES, np.array([8, 3, 6]), (3, 8), (0,)),
        ALL,
        exact=True,
    ),
    *(
        Case(
            broadcast_blocks,
            kind,
            (numbers(100, 3, 16).astype(kind), np.array([2, 0]), (5, 16), (0,)),
            exact=True,
        )
        for kind in ("int64", "int32", "int8")
    ),
]
