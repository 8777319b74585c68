"""Choose blocks and turn each: ``(n, *block)``, rows ``(m,)`` -> ``(m, *turned block)``.

Axis ``order[d]`` of a block becomes its axis ``d``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.rows import chosen, row_pieces


def reference(x: Any, rows: Any, order: tuple[int, ...]) -> Any:
    """A few blocks at a time, so that what is read and what is written stay in cache."""
    turned = x.transpose(0, *(1 + axis for axis in order))
    out = np.empty(shape(x, rows, order), x.dtype)
    for piece in row_pieces(out):
        out[piece] = chosen(turned, rows[piece])
    return out


def shape(x: Any, rows: Any, order: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the result."""
    return (len(rows), *(x.shape[1 + axis] for axis in order))


transpose_blocks = Kernel("transpose_blocks", reference, shape)
