"""Joins of block keys on the GPU, by pylibcudf. Run when a plan is prepared, never in a run."""

from __future__ import annotations

import cupy as cp
import numpy as np
import pylibcudf as plc

from gpudb.backend.cuda.columns import column_view, key_columns
from gpudb.keys import equal_pairs
from gpudb.types import HostArray


def equi_join(left: HostArray, right: HostArray) -> tuple[HostArray, HostArray]:
    """Pairs of rows with equal keys.

    Parameters
    ----------
    left, right
        ``(n, k)`` and ``(m, k)`` keys. Without columns every row meets every other, and there is
        nothing to join on the GPU.

    Returns
    -------
    rows_left, rows_right
        Row numbers of each pair, in order of the left row, then of the right one: cuDF gives them
        in any order.
    """
    if not left.shape[1]:
        return equal_pairs(left, right)
    tables = [plc.Table(list(key_columns(keys))) for keys in (left, right)]
    maps = plc.join.inner_join(tables[0], tables[1], plc.types.NullEquality.EQUAL)
    rows_left, rows_right = (_numbers(column) for column in maps)
    order = np.lexsort((rows_right, rows_left))
    return rows_left[order], rows_right[order]


def _numbers(column: plc.Column) -> HostArray:
    numbers: HostArray = cp.asnumpy(column_view(column, "int32")).astype(np.int64)
    return numbers
