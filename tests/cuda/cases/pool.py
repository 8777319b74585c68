"""Every kind, normalised and not; sequences that are empty, long, short; rows of any width."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.pool import pool
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, normal, offsets

ALL = (*STORED, "float64")
EPS = 1e-12
KINDS = ("mean", "max", "cls", "last", "root_mean", "rising_mean")


def case(
    label: str, lengths: tuple[int, ...], width: int, kind: str, eps: float | None, **kwargs: Any
) -> Case:
    args = (normal(sum(lengths), width), offsets(*lengths), kind, eps)
    return Case(pool, f"{kind}, eps {eps}, {label}", args, **kwargs)


CASES = [
    *(
        case(f"{width} wide", (3, 0, 1, 40), width, kind, eps, dtypes=ALL)
        for width in (1, 31, 32, 33, 384)
        for kind in KINDS
        for eps in (None, EPS)
    ),
    *(case("no sequences", (), 8, kind, None, dtypes=ALL) for kind in KINDS),
    *(case("no columns", (2, 1), 0, kind, EPS) for kind in ("mean", "cls")),
    *(case("all empty", (0, 0), 8, kind, EPS, dtypes=ALL) for kind in KINDS),
    *(case("many sequences", (5, 1) * 60, 40, kind, EPS) for kind in KINDS),
    case("long sequences", (700, 3), 16, "mean", EPS, scale=2.0),
    case("1031 wide", (3, 2), 1031, "mean", EPS, dtypes=ALL),
    case("misaligned", (3, 5), 64, "mean", EPS, dtypes=ALL, shifted=frozenset({0})),
    case("misaligned", (3, 5), 64, "max", None, dtypes=ALL, shifted=frozenset({0})),
    *(
        case("wider than shared memory", (3, 0, 2), 13500, kind, eps, dtypes=REAL)
        for kind in ("mean", "max")
        for eps in (None, EPS)
    ),
    *(
        Case(pool, f"{kind} of extremes", (EXTREMES, offsets(1, 2, 1, 0, 4, 2), kind, None), REAL)
        for kind in KINDS
    ),
    *(
        Case(
            pool, f"{kind} of extremes, normalised", (EXTREMES, offsets(*[1] * 10), kind, EPS), REAL
        )
        for kind in KINDS
    ),
    Case(pool, "squares overflow", (normal(6, 40) * 1e30, offsets(2, 4), "mean", EPS)),
    Case(
        pool,
        "row numbers on the host",
        (normal(6, 8), offsets(2, 4), "max", EPS),
        host=frozenset({1}),
    ),
    Case(pool, "offsets int32", (normal(6, 8), offsets(2, 4).astype(np.int32), "mean", EPS)),
]
