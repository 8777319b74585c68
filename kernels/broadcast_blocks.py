"""Choose blocks and repeat the elements of each: ``(n, *old)``, rows ``(m,)`` -> ``(m, *block)``.

``repeated`` are axes of the result: those in front that ``old`` lacks, and those along which only
the first element of a block is there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.rows import chosen, row_pieces


def reference(x: Any, rows: Any, block: tuple[int, ...], repeated: tuple[int, ...]) -> Any:
    """NumPy broadcasting, a few blocks at a time."""
    new = len(block) + 1 - x.ndim
    spread = x.reshape(x.shape[0], *(1,) * new, *x.shape[1:])
    spread = spread[
        (slice(None), *(slice(1 if a in repeated else None) for a in range(len(block))))
    ]
    out = np.empty(shape(x, rows, block, repeated), x.dtype)
    for piece in row_pieces(out):
        out[piece] = chosen(spread, rows[piece])
    return out


def shape(x: Any, rows: Any, block: tuple[int, ...], repeated: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the result."""
    return (len(rows), *block)


broadcast_blocks = Kernel("broadcast_blocks", reference, shape)
