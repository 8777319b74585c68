"""Keep elements that compare with a number as asked: ``(n, *block)`` -> ``(n, *block)``."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.rows import row_pieces
from gpudb.keys import COMPARE


def reference(x: Any, compare: str, value: float) -> Any:
    """Compared in float64: the number is not rounded to the dtype of the elements."""
    out = np.zeros_like(x)
    exact = np.float64(value)
    for piece in row_pieces(x):
        np.copyto(out[piece], x[piece], where=COMPARE[compare](x[piece], exact))
    return out


def shape(x: Any, compare: str, value: float) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


filter_elements = Kernel("filter_elements", reference, shape)
