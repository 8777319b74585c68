"""``layer_norm(sum of table[rows])``: k tables ``(r, w)``, k columns ``(n,)`` -> ``(n, w)``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.layer_norm import normalize_rows
from gpudb.kernels.rows import row_pieces


def reference(tables: Sequence[Any], rows: Sequence[Any], gamma: Any, beta: Any, eps: float) -> Any:
    """One pass over each output row."""
    out = np.empty(shape(tables, rows, gamma, beta, eps), np.result_type(*tables))
    for piece in row_pieces(out):
        part = out[piece]
        np.take(tables[0], rows[0][piece], axis=0, out=part)
        for table, row in zip(tables[1:], rows[1:], strict=True):
            part += table[row[piece]]
        normalize_rows(part, gamma, beta, eps)
    return out


def shape(
    tables: Sequence[Any], rows: Sequence[Any], gamma: Any, beta: Any, eps: float
) -> tuple[int, ...]:
    """Shape of the result."""
    return (rows[0].shape[0], tables[0].shape[1])


embedding_layer_norm = Kernel("embedding_layer_norm", reference, shape)
