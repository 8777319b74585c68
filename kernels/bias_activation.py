"""``activation(x + bias)``: ``(n, w)``, ``(w,)`` -> ``(n, w)``. Overwrites ``x``.

The epilogue of a GEMM: ``x`` is its fresh product, which nobody else holds.
"""

from __future__ import annotations

from typing import Any

from gpudb.kernels import Kernel
from gpudb.kernels.elementwise import MAPS
from gpudb.kernels.rows import row_pieces


def reference(x: Any, bias: Any, activation: str | None) -> Any:
    """Piece by piece, so that the function reads from cache what the sum has just written."""
    fn = MAPS[activation] if activation else None
    for piece in row_pieces(x):
        part = x[piece]
        part += bias
        if fn:
            part[...] = fn(part)
    return x


def shape(x: Any, bias: Any, activation: str | None) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


bias_activation = Kernel("bias_activation", reference, shape)
