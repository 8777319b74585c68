"""Every function; widths around a vector; rows apart, misaligned; extreme values."""

from __future__ import annotations

from typing import Any

from gpudb.kernels.elementwise import MAPS
from gpudb.kernels.gated import gated
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, columns, normal

ALL = (*STORED, "float64")


def case(label: str, rows: int, width: int, fn: str = "gelu", **kwargs: Any) -> Case:
    return Case(gated, label, (normal(rows, width), normal(rows, width, seed=1), fn), **kwargs)


def halves(rows: int, width: int) -> Case:
    """Columns of one matrix, as a merged projection gives them."""
    merged = normal(rows, 2 * width)
    args = (columns(merged, 0, width), columns(merged, width, 2 * width), "silu")
    return Case(gated, f"halves of {rows} rows of {width}", args, ALL)


CASES = [
    *(
        case(f"{rows} rows of {width}", rows, width, dtypes=ALL)
        for rows, width in ((0, 4), (3, 0), (3, 1), (1, 31), (4, 32), (5, 33), (9, 384), (6, 1031))
    ),
    *(case(f"{fn}", 7, 40, fn, dtypes=ALL, scale=2.0) for fn in MAPS),
    *(halves(rows, width) for rows, width in ((0, 4), (1, 1), (5, 32), (5, 33))),
    case("many rows", 500, 40),
    *(case(f"{n} misaligned", 5, 64, dtypes=ALL, shifted=frozenset({n})) for n in (0, 1)),
    *(case(f"rows of {n} apart", 5, 64, dtypes=ALL, spread=frozenset({n})) for n in (0, 1)),
    *(Case(gated, f"{fn} of extremes", (EXTREMES, EXTREMES[::-1].copy(), fn), REAL) for fn in MAPS),
]
