"""Rows divided by their norm, or by ``eps`` if that is larger: ``(n, *rows, w)`` -> the same.

``norms`` is ``(g, *rows)``; ``groups`` ``(n,)`` says which of them belongs to a block.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.rows import chosen, row_pieces


def reference(x: Any, norms: Any, groups: Any, eps: float) -> Any:
    """A few blocks at a time."""
    out = np.empty_like(x, subok=False)
    for piece in row_pieces(x):
        length = np.maximum(chosen(norms, groups[piece]), eps)
        np.divide(x[piece], length[..., None], out=out[piece])
    return out


def shape(x: Any, norms: Any, groups: Any, eps: float) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


divide_rows = Kernel("divide_rows", reference, shape)
