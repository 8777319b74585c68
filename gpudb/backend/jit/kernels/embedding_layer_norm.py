"""``layer_norm(sum of table[rows])``: tables are added one after the other, then normalised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpudb.backend.jit.kernels.layer_norm import layer_norm
from gpudb.backend.jit.records import LOOK_UP, matrix, places, record
from gpudb.backend.jit.rows import new_rows, one_after_the_other, whole_numbers
from gpudb.backend.jit.team import run
from gpudb.kernels.embedding_layer_norm import reference
from gpudb.types import HostArray

(_OUTSIDE,) = places(LOOK_UP, "outside")


def embedding_layer_norm(
    tables: Sequence[HostArray],
    rows: Sequence[HostArray],
    gamma: HostArray,
    beta: HostArray,
    eps: float,
) -> HostArray:
    """As :mod:`gpudb.kernels.embedding_layer_norm`."""
    if any(len(row) != len(rows[0]) for row in rows):
        return np.asarray(reference(tables, rows, gamma, beta, eps))  # it knows what to raise
    out = new_rows(len(rows[0]), tables[0].shape[1])
    for number, (table, row) in enumerate(zip(tables, rows, strict=True)):
        table, row = one_after_the_other(table), whole_numbers(row)
        job = record(
            LOOK_UP,
            **matrix("table", table),
            height=table.shape[0],
            width=table.shape[1],
            numbers=row.ctypes.data,
            rows=len(row),
            adds=number > 0,
            **matrix("out", out),
        )
        run(LOOK_UP, job, table, row, out)
        if job[_OUTSIDE]:
            return np.asarray(reference(tables, rows, gamma, beta, eps))  # so does it here
    return layer_norm(out, gamma, beta, eps)
