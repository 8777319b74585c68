"""``layer_norm(sum of table[rows])``: tables are added one after the other, then normalised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpudb.backend.jit.kernels.layer_norm import layer_norm
from gpudb.backend.jit.lookups import ADDS, LOOKUP, OUTSIDE, describe
from gpudb.backend.jit.records import new_record
from gpudb.backend.jit.rows import new_rows, one_after_the_other, whole_numbers
from gpudb.backend.jit.team import LOOK_UP, run
from gpudb.kernels.embedding_layer_norm import reference
from gpudb.types import HostArray


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
        job = new_record(LOOKUP)
        job[ADDS] = number > 0
        describe(job, table, row, out)
        run(LOOK_UP, job, table, row, out)
        if job[OUTSIDE]:
            return np.asarray(reference(tables, rows, gamma, beta, eps))  # so does it here
    return layer_norm(out, gamma, beta, eps)
