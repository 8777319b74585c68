"""Whole heads and parts of them, neighbours and halves; long positions; rows apart, misaligned."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.rotary import rotary
from tests.cuda.cases.case import REAL, STORED, TOLERANCES, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers

ALL = (*STORED, "float64")
# Sines and cosines are float32 whatever is turned by them.
TOLERANCE = {**TOLERANCES, "float64": 5e-7}


def case(label: str, rows: int, heads: int, width: int, **kwargs: Any) -> Case:
    part = kwargs.pop("part", width)
    positions = kwargs.pop("positions", numbers(512, rows).astype(np.int32))
    turned = (heads, kwargs.pop("base", 1e4), part, kwargs.pop("interleaved", False))
    args = (normal(rows, heads * width), positions, *turned)
    return Case(rotary, label, args, tolerances=TOLERANCE, **kwargs)


def extremes(label: str, part: int, interleaved: bool) -> Case:
    args = (EXTREMES, numbers(50, 10), 2, 1e4, part, interleaved)
    # Numbers of 1e4 are turned into small ones.
    return Case(rotary, f"extremes, {label}", args, REAL, scale=1e4, tolerances=TOLERANCE)


CASES = [
    *(
        case(f"{rows} rows, {heads} heads of {width}", rows, heads, width, dtypes=ALL)
        for rows, heads, width in (
            (0, 2, 4),
            (1, 1, 2),
            (3, 5, 2),
            (5, 3, 32),
            (4, 2, 64),
            (3, 2, 66),
            (2, 1, 256),
        )
    ),
    *(
        case(f"neighbours, {rows} rows of {width}", rows, 2, width, interleaved=True, dtypes=ALL)
        for rows, width in ((0, 4), (1, 2), (5, 32), (3, 66))
    ),
    *(
        case(f"{part} of {width}, {kind}", 4, 3, width, part=part, interleaved=kind == "neighbours")
        for part, width in ((2, 3), (2, 33), (16, 33), (32, 64))
        for kind in ("halves", "neighbours")
    ),
    case("many rows", 300, 2, 16),
    case("positions of 64 bits", 5, 2, 8, positions=numbers(99, 5)),
    case("positions on the host", 5, 2, 8, positions=numbers(99, 5), host=frozenset({1})),
    case("far positions", 6, 1, 64, positions=np.array([0, 1, 8191, 8192, 65_535, 1_000_000])),
    *(case(f"base {base}", 5, 1, 64, base=base) for base in (0.5, 1.0, 160_000.0, 1e6)),
    case("misaligned", 5, 2, 32, dtypes=ALL, shifted=frozenset({0})),
    case("rows apart", 5, 2, 32, dtypes=ALL, spread=frozenset({0})),
    case("rows apart, not in vectors", 5, 3, 10, dtypes=ALL, spread=frozenset({0})),
    extremes("halves", 4, False),
    extremes("neighbours", 4, True),
    extremes("a part", 2, False),
]
