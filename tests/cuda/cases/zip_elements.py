"""Every function; equal shapes, vectors, scalars, and axes that repeat on either side."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.elementwise import ZIPS
from gpudb.kernels.zip_elements import zip_elements
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, normal

ALL = (*STORED, "float64")


def case(x: tuple[int, ...], y: tuple[int, ...], fn: str = "subtract", **kwargs: Any) -> Case:
    args = (normal(*x), normal(*y, seed=1), fn)
    return Case(zip_elements, f"{fn} of {x} and {y}", args, **kwargs)


CASES = [
    *(case((5, 16), (5, 16), fn, dtypes=ALL) for fn in ZIPS),
    *(case((n,), (n,), dtypes=ALL) for n in (0, 1, 31, 32, 33)),
    *(case((3, 5, n), (n,), dtypes=ALL) for n in (1, 31, 32, 33)),
    *(case((5, 40), y, dtypes=ALL) for y in ((), (1,), (1, 1), (5, 1), (1, 40))),
    *(case(x, (5, 40), dtypes=ALL) for x in ((), (40,), (5, 1))),
    case((), ()),
    case((5, 1), (1, 64), dtypes=ALL),
    case((2, 3, 1, 5), (3, 4, 1)),
    case((2, 0), (1,)),
    case((2, 1, 2, 1, 2, 1, 2, 1), (1, 3, 1, 3, 1, 3, 1, 3), dtypes=ALL),
    case((600, 40), (40,)),
    *(case((3, 32), (32,), fn, shifted=frozenset({n})) for n, fn in enumerate(("add", "divide"))),
    case((6, 16), (6, 16), dtypes=STORED, wide=frozenset({1})),
    case((5, 17), (17,), dtypes=STORED, wide=frozenset({0})),
    *(
        Case(zip_elements, f"{fn} of extremes", (EXTREMES[:, None], EXTREMES, fn), REAL)
        for fn in ZIPS
    ),
    *(
        Case(zip_elements, f"{fn} of extremes, each", (EXTREMES.T[:, :, None], EXTREMES[0], fn))
        for fn in ZIPS
    ),
    Case(zip_elements, "one number", (EXTREMES, np.array(0.5), "multiply"), ALL),
]
