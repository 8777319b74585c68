"""Every function; lengths around a vector and a warp; extreme values."""

from __future__ import annotations

import numpy as np

from gpudb.kernels.elementwise import MAPS
from gpudb.kernels.map_elements import map_elements
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, normal

ALL = (*STORED, "float64")

CASES = [
    *(
        Case(map_elements, f"gelu of {shape}", (normal(*shape), "gelu"), ALL)
        for shape in ((), (0,), (1,), (31,), (32,), (33,), (1031,), (3, 5, 8), (3, 0))
    ),
    *(Case(map_elements, fn, (normal(7, 40), fn), ALL, scale=2.0) for fn in MAPS),
    *(Case(map_elements, f"{fn} of extremes", (EXTREMES, fn), REAL) for fn in MAPS),
    *(
        Case(map_elements, f"{fn} from -12 to 12", (np.linspace(-12, 12, 999), fn), REAL)
        for fn in ("gelu", "gelu_tanh", "quick_gelu", "sigmoid", "silu", "tanh", "exp")
    ),
]
