"""Forwards and backwards, by whole blocks and into them, past both ends; parts that overlap."""

from __future__ import annotations

from typing import Any

from gpudb.kernels.shift_along import shift_along
from tests.cuda.cases.case import STORED, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers

ALL = (*STORED, "float64")


def case(
    parts: tuple[tuple[int, ...], ...],
    offsets: tuple[int, ...],
    grid: tuple[int, ...],
    axis: int,
    **kwargs: Any,
) -> Case:
    arrays = [normal(*shape, seed=number) for number, shape in enumerate(parts)]
    counts = "+".join(str(shape[0]) for shape in parts)
    label = f"{counts} of {parts[0][1:]} by {offsets} along {axis} of {grid}"
    return Case(shift_along, label, (arrays, offsets, grid, axis), exact=True, **kwargs)


CASES = [
    case(((2, 40, 6), (1, 40, 6)), (-2, 10), (1, 3), 1, dtypes=ALL),
    *(
        case(((6, 2, 8),), (offset,), (2, 3), 1, dtypes=ALL)
        for offset in (0, 1, 4, 8, 11, 24, 40, -1, -8, -13, -24)
    ),
    *(case(((6, 4, 16),), (offset,), (3, 2), 0, dtypes=ALL) for offset in (0, 1, 4, -2, 13, -12)),
    *(case(((4, 2, 3), (2, 2, 3)), (0, 2 * n - 1), (2, 3), 1) for n in (1, 2)),
    case(((6, 2, 6),), (2,), (2, 3), 1),
    case(((4, 2, 3),), (-1,), (2, 2), 0),
    case(((0, 2),), (3,), (2,), 0),
    case(((2, 5),), (3,), (0,), 0),
    case(((2, 33), (1, 33), (1, 33)), (0, 60, 70), (4,), 0, dtypes=ALL),
    *(
        case(((12, 2, 3, 32),), (offset,), (2, 3, 2), axis, dtypes=ALL)
        for axis, offset in ((0, 1), (0, -3), (1, 2), (1, -4), (2, 5), (2, 32), (2, -16))
    ),
    case(((300, 4),), (2,), (301,), 0),
    Case(shift_along, "extremes", ([EXTREMES], (3,), (11,), 0), ALL, exact=True),
    *(
        Case(
            shift_along,
            f"{kind} by {offset}",
            ([numbers(100, 4, 2, 16).astype(kind)], (offset,), (2, 3), 1),
            exact=True,
        )
        for kind in ("int64", "int32", "int8")
        for offset in (5, -16)
    ),
]
