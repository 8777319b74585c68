"""Widths that keep 16-byte boundaries and widths that do not; parts without columns."""

from __future__ import annotations

from typing import Any

from gpudb.kernels.concat_columns import concat_columns
from tests.cuda.cases.case import STORED, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers

ALL = (*STORED, "float64")


def case(rows: int, widths: tuple[int, ...], **kwargs: Any) -> Case:
    parts = [normal(rows, width, seed=number) for number, width in enumerate(widths)]
    label = f"{rows} rows of {'+'.join(map(str, widths))}"
    return Case(concat_columns, label, (parts,), exact=True, **kwargs)


CASES = [
    *(
        case(5, widths, dtypes=ALL)
        for widths in ((2, 5, 1), (64, 32), (8, 33, 8), (31, 1, 32), (16, 4, 16), (7,), (0, 3, 0))
    ),
    case(0, (2, 3)),
    case(3, (0,)),
    case(1, (1, 1)),
    case(600, (16, 24)),
    Case(concat_columns, "extremes", ([EXTREMES, EXTREMES[:, :3]],), ALL, exact=True),
    *(
        Case(
            concat_columns,
            kind,
            ([numbers(100, 3, 16).astype(kind), numbers(100, 3, 5).astype(kind)],),
            exact=True,
        )
        for kind in ("int64", "int32", "int8")
    ),
]
