"""Orders that keep runs, orders that turn the last axis; extents around a tile; up to 8 axes."""

from __future__ import annotations

from typing import Any

from gpudb.kernels.permute_axes import permute_axes
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers

ALL = (*STORED, "float64")


def case(shape: tuple[int, ...], order: tuple[int, ...], **kwargs: Any) -> Case:
    label = f"{'×'.join(map(str, shape))} in order {order}"
    return Case(permute_axes, label, (normal(*shape), order), exact=True, **kwargs)


def whole_numbers(kind: str) -> Case:
    x = numbers(100, 3, 40, 33).astype(kind)
    return Case(permute_axes, kind, (x, (0, 2, 1)), exact=True)


CASES = [
    *(case((n, m), (1, 0), dtypes=ALL) for n, m in ((31, 33), (32, 64), (65, 8), (40, 3), (1, 9))),
    *(case(shape, (0, 2, 1)) for shape in ((0, 3, 4), (2, 0, 4), (1, 1, 1), (3, 63, 65))),
    case((5,), (0,)),
    case((3, 5, 64), (1, 0, 2), dtypes=ALL),
    case((3, 5, 7), (1, 0, 2), dtypes=ALL),
    case((2, 3, 33, 5, 34), (4, 1, 2, 0, 3), dtypes=REAL),
    case((9, 3, 35), (2, 1, 0)),
    *(case(shape, (2, 1, 0), dtypes=ALL) for shape in ((200, 3, 5), (2, 300, 3), (3, 2, 300))),
    case((40, 3, 7), (1, 0, 2), dtypes=ALL),
    case((2, 3, 1100), (2, 1, 0)),
    case((3, 400), (1, 0)),
    case((400, 3), (1, 0), dtypes=ALL),
    case((2, 3, 2, 3, 2, 2, 3, 2), (7, 6, 5, 4, 3, 2, 1, 0), dtypes=ALL),
    case((2, 3, 2, 3, 2, 2, 3, 8), (6, 1, 5, 3, 2, 4, 0, 7), dtypes=REAL),
    case((2, 2, 2, 2, 2, 9, 2, 33), (7, 4, 3, 2, 1, 0, 6, 5)),
    Case(permute_axes, "extremes", (EXTREMES, (1, 0)), ALL, exact=True),
    *map(whole_numbers, ("int64", "int32", "int8")),
]
