"""Rows of a table by their numbers, set or added."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, types

from gpudb.backend.jit.compiled import array, compiled, matrix, part, written
from gpudb.backend.jit.llvm import LANES
from gpudb.backend.jit.memory import pointer_to
from gpudb.backend.jit.records import places, rows_at, step_of
from gpudb.backend.jit.vectors import at, load_up_to, store_up_to
from gpudb.types import HostArray

LOOKUP = np.dtype(
    [
        *((name, "i8") for name in ("table", "table_step", "height", "width")),
        *((name, "i8") for name in ("numbers", "rows", "adds", "out", "out_step", "outside")),
    ]
)
"""Rows to look up. ``adds`` is 1 where they are added to what ``out`` has; ``outside`` becomes 1
where a number is none of the table's, whose row is left out."""

_TABLE, _TABLE_STEP, _HEIGHT, _WIDTH = places(LOOKUP, "table", "table_step", "height", "width")
_NUMBERS, _ROWS, ADDS = places(LOOKUP, "numbers", "rows", "adds")
_OUT, _OUT_STEP, OUTSIDE = places(LOOKUP, "out", "out_step", "outside")


@compiled(written(types.int64, 1), matrix(types.float32), array(types.int64), matrix(types.float32))
def describe(job: HostArray, table: HostArray, numbers: HostArray, out: HostArray) -> None:
    """Write into a :data:`LOOKUP` where its arrays are."""
    job[_TABLE], job[_TABLE_STEP] = at(table, (0, 0)), step_of(table)
    job[_HEIGHT], job[_WIDTH] = table.shape
    job[_NUMBERS], job[_ROWS] = at(numbers, (0,)), len(numbers)
    job[_OUT], job[_OUT_STEP] = at(out, (0, 0)), step_of(out)


@part
def run_lookup(job: Any) -> None:
    """Run a :data:`LOOKUP`."""
    rows, width, height = job["rows"], job["width"], job["height"]
    table = rows_at(job["table"], job["table_step"], height, width)
    numbers = carray(pointer_to(job["numbers"], np.int64), (rows,))
    out = rows_at(job["out"], job["out_step"], rows, width)
    job["outside"] = 0
    for i in range(rows):
        number = numbers[i]
        if number < 0 or number >= height:
            job["outside"] = 1
            continue
        for j in range(0, width, LANES):
            row, place = load_up_to(at(table, (number, j)), width - j), at(out, (i, j))
            if job["adds"]:
                row = load_up_to(place, width - j) + row
            store_up_to(place, row, width - j)
