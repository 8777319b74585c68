"""The block a tensor is cut into when nobody says otherwise: row panels."""

from __future__ import annotations

from math import prod

from gpudb.types import storage_dtype

PANEL_NBYTES = 1 << 20
"""About one panel: many to a page, few to a matrix, enough rows for a GEMM of its own."""


def row_panels(shape: tuple[int, ...], dtype: str) -> tuple[int, ...]:
    """Some rows × everything else; a vector is one block.

    Panels of neighbouring rows lie side by side in a page, so reading a whole matrix is one view.
    The row count divides the rows evenly where it can without making panels smaller than half; else
    the last of as many panels is as full as it can be.
    """
    if len(shape) == 1:
        return (max(1, shape[0]),)
    row_nbytes = max(1, prod(shape[1:]) * storage_dtype(dtype).itemsize)
    rows = max(1, min(shape[0], PANEL_NBYTES // row_nbytes))
    panels = -(-shape[0] // rows)
    fullest = -(-shape[0] // max(1, panels))
    even = next((r for r in range(rows, rows // 2, -1) if shape[0] % r == 0), max(1, fullest))
    return (even, *(max(1, e) for e in shape[1:]))
