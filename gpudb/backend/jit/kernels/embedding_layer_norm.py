"""``layer_norm(sum of table[rows])``: tables are added one after the other, then normalised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import types

from gpudb.backend.jit.compiled import array, compiled, matrix, written
from gpudb.backend.jit.kernels.layer_norm import layer_norm
from gpudb.backend.jit.llvm import LANES
from gpudb.backend.jit.vectors import at, load_up_to, store_up_to
from gpudb.kernels.embedding_layer_norm import reference
from gpudb.types import HostArray

f4 = types.float32


@compiled(matrix(f4), array(types.int64), types.boolean, written(f4))
def _add_rows(table: HostArray, rows: HostArray, first: bool, out: HostArray) -> None:
    width = table.shape[1]
    for i in range(len(rows)):
        for j in range(0, width, LANES):
            row = load_up_to(at(table, (rows[i], j)), width - j)
            place = at(out, (i, j))
            if not first:
                row = load_up_to(place, width - j) + row
            store_up_to(place, row, width - j)


def embedding_layer_norm(
    tables: Sequence[HostArray],
    rows: Sequence[HostArray],
    gamma: HostArray,
    beta: HostArray,
    eps: float,
) -> HostArray:
    """As :mod:`gpudb.kernels.embedding_layer_norm`."""
    count = len(rows[0])
    pairs = list(zip(tables, rows, strict=True))
    if not all(len(row) == count and _inside(row, len(table)) for table, row in pairs):
        return np.asarray(reference(tables, rows, gamma, beta, eps))  # it knows what to raise
    out = np.empty((count, tables[0].shape[1]), np.float32)
    for number, (table, row) in enumerate(pairs):
        _add_rows(table, row.astype(np.int64), number == 0, out)
    return layer_norm(out, gamma, beta, eps)


def _inside(row: HostArray, height: int) -> bool:
    """Whether all numbers are rows of a table."""
    return not row.size or bool(row.min() >= 0 and row.max() < height)
