"""Every comparison, with numbers that are met, not met and not to be had in the dtype."""

from __future__ import annotations

import numpy as np

from gpudb.kernels.filter_elements import filter_elements
from gpudb.keys import COMPARE
from tests.cuda.cases.case import STORED, Case
from tests.cuda.cases.values import EXTREMES, INF, NAN, normal, numbers

ALL = (*STORED, "float64")

CASES = [
    *(
        Case(filter_elements, f"{shape} > 0.1", (normal(*shape), ">", 0.1), ALL, exact=True)
        for shape in ((0, 2), (1, 1), (3, 2, 2), (31,), (32,), (33,), (5, 64))
    ),
    *(
        Case(filter_elements, f"extremes {op} {value}", (EXTREMES, op, value), ALL, exact=True)
        for op in COMPARE
        for value in (0.0, 1.0, NAN, INF)
    ),
    *(
        Case(filter_elements, f"float32(0.1) {op} 0.1", (np.full(5, 0.1), op, 0.1), exact=True)
        for op in COMPARE
    ),
    *(
        Case(
            filter_elements,
            f"{kind} {op} {value}",
            ((numbers(100, 4, 33) - 50).astype(kind), op, value),
            exact=True,
        )
        for kind in ("int64", "int32", "int8")
        for op, value in ((">", 3.5), ("=", -7.0), ("!=", 0.0))
    ),
]
