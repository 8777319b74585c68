"""One table to four; row numbers of both types, on the host too; tables with their rows apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels.embedding_layer_norm import embedding_layer_norm
from tests.cuda.cases.case import REAL, STORED, Case
from tests.cuda.cases.values import EXTREMES, normal, numbers, rows_apart

ALL = (*STORED, "float64")
EPS = 1e-12
TABLE_ROWS = (50, 7, 2, 1)


def case(
    label: str, rows: int, width: int, tables: int, dtype: Any = np.int64, **kwargs: Any
) -> Case:
    given = [normal(n, width, seed=n) for n in TABLE_ROWS[:tables]]
    wanted = [numbers(n, rows).astype(dtype) for n in TABLE_ROWS[:tables]]
    args = (given, wanted, normal(width, seed=1), normal(width, seed=2), EPS)
    return Case(embedding_layer_norm, label, args, **kwargs)


def mixed() -> Case:
    """Row numbers of a different type for each table."""
    whole = case("row numbers of several types", 9, 40, 4)
    tables, rows, *rest = whole.args
    types = (np.int32, np.int64, np.int8, np.int32)
    cast = [column.astype(dtype) for column, dtype in zip(rows, types, strict=True)]
    return Case(embedding_layer_norm, whole.label, (tables, cast, *rest))


CASES = [
    *(
        case(f"{rows} rows of {width}", rows, width, 3, dtypes=ALL)
        for rows, width in (
            (0, 4),
            (3, 2),
            (3, 31),
            (2, 32),
            (3, 33),
            (5, 384),
            (2, 768),
            (1, 1031),
        )
    ),
    *(case(f"{tables} tables", 5, 64, tables, dtypes=ALL) for tables in (1, 2, 4)),
    case("many rows", 500, 40, 3),
    case("int32 row numbers", 9, 40, 2, np.int32, dtypes=ALL),
    mixed(),
    case("row numbers on the host", 9, 40, 3, host=frozenset({1})),
    *(
        case(f"table {i} misaligned", 5, 64, 4, dtypes=ALL, shifted=frozenset({(0, i)}))
        for i in range(4)
    ),
    case("gamma misaligned", 5, 64, 3, shifted=frozenset({2})),
    *(
        case(f"rows of table {i} apart", 5, 64, 4, dtypes=ALL, spread=frozenset({(0, i)}))
        for i in range(4)
    ),
    case("rows apart, not in vectors", 5, 33, 2, dtypes=ALL, spread=frozenset({(0, 1)})),
    case("wider than shared memory", 2, 13500, 2, dtypes=REAL),
    Case(
        embedding_layer_norm,
        "far from zero, tiny, large, constant",
        ([rows_apart(6, 384)], [np.arange(6)[::-1].copy()], normal(384), normal(384, seed=1), EPS),
        REAL,
        scale=20.0,  # the mean of the second row is 100 deviations from zero
    ),
    Case(
        embedding_layer_norm,
        "extremes",
        (
            [EXTREMES, np.zeros((1, 8))],
            [np.arange(10), np.zeros(10, int)],
            np.ones(8),
            normal(8),
            1e-5,
        ),
        REAL,
    ),
]
