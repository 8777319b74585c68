"""Rows of a table by their numbers, set or added."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.backend.jit.compiled.arrays import array_at, at, rows_at
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.compiled.vectors import load_up_to, store_up_to


@part
def run_lookup(job: Any) -> None:
    """Run a :data:`gpudb.backend.jit.records.LOOKUP`."""
    rows, width, height = job["rows"], job["width"], job["height"]
    table = rows_at(job["table"], job["table_step"], height, width)
    numbers = array_at(job["numbers"], np.int64, (rows,))
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
