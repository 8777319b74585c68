"""Every pair of dtypes; numbers that are rounded, cut off, in the middle and infinite."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.cast import cast
from gpudb.types import STORAGE_DTYPES
from tests.cuda.cases.case import STORED, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers

ALL = (*STORED, "float64")
WHOLE = ("int64", "int32", "int8")
REAL = tuple(name for name in STORAGE_DTYPES if name not in WHOLE)

TIES = np.array(
    [
        1 + 2.0**-11,  # half way between two float16
        1 + 2.0**-11 + 2.0**-40,  # above it by what float32 cannot tell
        1 - 2.0**-12 - 2.0**-40,
        1 + 2.0**-8,  # half way between two bfloat16
        1 + 2.0**-8 + 2.0**-40,
        1 + 3 * 2.0**-8 - 2.0**-40,
        -1 - 2.0**-8 - 2.0**-40,
        1 + 2.0**-24,  # half way between two float32
        2.0**-24,  # the smallest float16
        2.0**-25,  # half of it
        2.0**-25 + 2.0**-70,
        65504.0,  # the largest float16
        65519.9,
        65520.0,  # rounds to infinity
        3.3895313892515355e38,  # the largest bfloat16
        3.4e38,
        1e300,
        -1e300,
    ]
)


def rounded(x: Any, label: str, dtypes: tuple[str, ...] = ALL) -> list[Case]:
    return [
        Case(cast, f"{label} to {to}", (x, to), tuple(d for d in dtypes if d != to), exact=True)
        for to in REAL
    ]


def cut_off(x: Any, label: str) -> list[Case]:
    return [Case(cast, f"{label} to {to}", (x, to), ALL, exact=True) for to in WHOLE]


CASES = [
    *(
        case
        for shape in ((0, 2), (1,), (3, 2, 2), (31,), (33,), (5, 64))
        for case in rounded(normal(*shape), f"{shape}")
    ),
    *rounded(EXTREMES, "extremes", STORED),
    *rounded(EXTREMES[:8], "float64 extremes", ("float64",)),
    *rounded(TIES, "ties", ("float64", "float32")),
    *cut_off(np.clip(normal(5, 33) * 60, -127, 127), "normal numbers"),
    *cut_off(np.array([0.9, -0.9, -0.0, 1.5, -1.5, 126.9, -127.9]), "fractions"),
    *(
        Case(cast, f"{kind} to {to}", ((numbers(250, 5, 33) - 125).astype(kind), to), exact=True)
        for kind in WHOLE
        for to in STORAGE_DTYPES
    ),
    *(
        Case(cast, f"large to {to}", (np.array([2**24 + 1, -(2**53) - 1]), to), (to,), exact=True)
        for to in ("float64", "float32")
    ),
    *(
        Case(cast, f"wide numbers to {to}", (np.array([2**31 + 5, -(2**40), 300]), to), exact=True)
        for to in ("int32", "int8")
    ),
]
