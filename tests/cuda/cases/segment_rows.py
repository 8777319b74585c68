"""Every function; segments without rows, with one and with all; columns; extreme values."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.segment_rows import STRUCTS, segment_rows
from tests.cuda.cases.case import REAL, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers


def case(
    x: Any, segments: Any, columns: int, count: int, rows: int, fn: str, label: str = ""
) -> Case:
    args = (x, segments, columns, count, rows, fn)
    label = (
        f"{fn} of {label or x.shape}, {len(segments)} rows, {columns} columns, {count} by {rows}"
    )
    exact = fn in ("max", "min")
    return Case(segment_rows, label, args, REAL, host=frozenset({1}), exact=exact)


GRIDS = [
    (normal(0, 2, 3), 0, 1, 5, 2),
    (normal(4, 2, 3), 0, 2, 5, 2),
    (normal(4, 2, 3), 3, 2, 5, 2),
    (normal(4, 2, 3), 4, 2, 5, 5),
    (normal(3, 4), 11, 1, 7, 4),
    (normal(2, 4, 0), 4, 2, 3, 3),
    (normal(2, 4, 3), 8, 1, 0, 1),
    (normal(6, 5, 33), 14, 2, 9, 4),
    (normal(2, 40, 2, 3), 79, 1, 4, 4),
    (normal(3, 32, 65), 90, 1, 33, 32),
]

CASES = [
    *(
        case(x, numbers(count, n), columns, count, rows, fn)
        for x, n, columns, count, rows in GRIDS
        for fn in STRUCTS
    ),
    *(
        case(normal(2, 40, 3), np.full(77, 1), 1, 3, 2, fn, "one segment of many rows")
        for fn in STRUCTS
    ),
    *(case(EXTREMES[None], np.arange(10) % 4, 1, 4, 4, fn, "extremes") for fn in STRUCTS),
]
