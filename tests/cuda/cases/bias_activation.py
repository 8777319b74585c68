"""Every function; widths around a vector; misaligned x and bias; extreme values."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.bias_activation import bias_activation
from gpudb.kernels.elementwise import MAPS
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, normal

ALL = (*STORED, "float64")
FUNCTIONS = (None, *MAPS)


def case(label: str, rows: int, width: int, fn: str | None = "gelu", **kwargs: Any) -> Case:
    args = (normal(rows, width), normal(width, seed=1), fn)
    return Case(bias_activation, label, args, overwrites=True, **kwargs)


CASES = [
    *(
        case(f"{rows} rows of {width}", rows, width, dtypes=ALL)
        for rows, width in ((0, 4), (3, 0), (3, 1), (1, 31), (4, 32), (5, 33), (9, 384), (6, 1031))
    ),
    *(case(f"{fn}", 7, 40, fn, dtypes=ALL, scale=2.0) for fn in FUNCTIONS),
    case("many rows", 500, 40),
    case("x misaligned", 5, 64, dtypes=ALL, shifted=frozenset({0})),
    case("bias misaligned", 5, 64, dtypes=ALL, shifted=frozenset({1})),
    *(
        Case(
            bias_activation, f"{fn} of extremes", (EXTREMES, np.zeros(8), fn), REAL, overwrites=True
        )
        for fn in FUNCTIONS
    ),
    *(
        Case(
            bias_activation,
            f"{fn} from -12 to 12",
            (np.linspace(-12, 12, 999).reshape(37, 27), np.zeros(27), fn),
            REAL,
            overwrites=True,
        )
        for fn in ("gelu", "gelu_tanh", "quick_gelu", "sigmoid", "silu", "tanh", "exp")
    ),
]
