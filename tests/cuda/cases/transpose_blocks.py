"""Blocks chosen in any order and twice; extents around a tile; rows on the host and the device."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.transpose_blocks import transpose_blocks
from tests.cuda.cases.case import STORED, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers

ALL = (*STORED, "float64")


def case(shape: tuple[int, ...], rows: list[int], order: tuple[int, ...], **kwargs: Any) -> Case:
    label = f"{'×'.join(map(str, shape))}, {len(rows)} in order {order}"
    args = (normal(*shape), np.array(rows, np.int64), order)
    return Case(transpose_blocks, label, args, exact=True, **kwargs)


CASES = [
    *(
        case((3, n, m), [2, 0, 1, 2], (1, 0), dtypes=ALL)
        for n, m in ((2, 4), (31, 33), (32, 64), (65, 9), (1, 5))
    ),
    *(case((3, 2, 4), rows, order) for rows in ([0, 1, 2], []) for order in ((0, 1), (1, 0))),
    case((3, 2, 0), [1, 1], (1, 0)),
    case((2, 4, 3, 16), [1, 0], (1, 0, 2), dtypes=ALL, host=frozenset({1})),
    case((2, 3, 33, 2, 34), [1, 1, 0], (3, 2, 1, 0), host=frozenset({1})),
    *(case((2, *shape), [1, 0], (2, 1, 0)) for shape in ((200, 3, 5), (2, 300, 3))),
    case((3, 3, 700), [2, 0], (1, 0)),
    case((2, 2, 3, 2, 3, 2, 2, 3, 2), [1, 0], (7, 6, 5, 4, 3, 2, 1, 0)),
    case((40, 8, 9), list(range(39, -1, -1)), (1, 0)),
    Case(
        transpose_blocks,
        "extremes",
        (EXTREMES.reshape(2, 5, 8), np.array([1, 0]), (1, 0)),
        ALL,
        exact=True,
    ),
    *(
        Case(
            transpose_blocks,
            f"{kind}, numbers int32",
            (numbers(100, 3, 33, 17).astype(kind), np.array([2, 0], np.int32), (1, 0)),
            exact=True,
        )
        for kind in ("int64", "int32", "int8")
    ),
]
