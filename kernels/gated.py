"""``fn(x) · y``, element by element: ``(n, w)`` twice -> ``(n, w)``; names as in :data:`MAPS`.

The middle of a gated feed-forward net (Shazeer, "GLU Variants Improve Transformer", 2020). Both may
be columns of one product: rows need not lie together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.elementwise import MAPS, functor
from gpudb.kernels.launch import Device, cuda, matrix_grid, strided_rows
from gpudb.kernels.rows import row_pieces


def reference(x: Any, y: Any, fn: str) -> Any:
    """Piece by piece, so that the product reads from cache what the function has just written."""
    out = np.empty(x.shape, np.result_type(x, y))
    for piece in row_pieces(out):
        np.multiply(MAPS[fn](x[piece]), y[piece], out=out[piece])
    return out


def shape(x: Any, y: Any, fn: str) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


def launch(device: Device, x: Any, y: Any, fn: str) -> Any:
    """A thread to 16 bytes of a few rows."""
    out = device.empty(x.shape, x.dtype)
    (x, stride), (y, other_stride) = strided_rows(device, x), strided_rows(device, y)
    rows, width = out.shape
    blocks, threads = matrix_grid(device, rows, width, out.dtype.itemsize)
    args = (x, stride, y, other_stride, out, rows, width)
    device.launch(cuda("gated", T=out.dtype, FN=functor(fn)), blocks, threads, args)
    return out


gated = Kernel("gated", reference, shape, launch=launch)
