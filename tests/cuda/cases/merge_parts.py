"""Every function; lines of one part and of many; parts left out of a mean; extreme values."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.merge_parts import STRUCTS, merge_parts
from tests.cuda.cases.case import REAL, Case
from tests.cuda.cases.values import EXTREMES, normal

HOST = frozenset({1, 2})


def case(parts: Any, starts: Any, fn: str, label: str = "") -> Case:
    parts = np.abs(parts) if fn == "norm" else parts
    counts = 1 + np.arange(len(parts)) % 5
    args = (parts, counts, np.array(starts, np.int64), fn, 99)
    label = f"{fn} of {label or parts.shape} from {starts}"
    return Case(merge_parts, label, args, REAL, host=HOST, exact=fn in ("max", "min"))


PARTS = [
    (normal(0, 3), []),
    (normal(1, 1), [0]),
    (normal(6, 3), [0, 3]),
    (normal(6), [0, 1, 5]),
    (normal(5, 0), [0, 1]),
    (normal(9, 3, 11), [0, 1, 2]),
    (normal(7, 131), [0, 4]),
    (normal(40, 2), [0]),
]

CASES = [
    *(case(parts, starts, fn) for parts, starts in PARTS for fn in STRUCTS),
    *(case(EXTREMES, [0, 2, 6, 9], fn, "extremes") for fn in STRUCTS),
    *(case(EXTREMES, list(range(10)), fn, "extremes apart") for fn in STRUCTS),
    Case(
        merge_parts,
        "norms whose squares overflow and vanish",
        (
            np.array([[1e300, 1e-300], [1e300, 2e-300]]),
            np.ones(2, int),
            np.zeros(1, int),
            "norm",
            0,
        ),
        ("float64",),
        host=HOST,
        scale=1e-300,
    ),
]
