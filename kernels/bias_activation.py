"""``activation(x + bias)``: ``(n, w)``, ``(w,)`` -> ``(n, w)``. Overwrites ``x``.

The epilogue of a GEMM: ``x`` is its fresh product, which nobody else holds.
"""

from __future__ import annotations

from typing import Any

from gpudb.kernels import Kernel
from gpudb.kernels.elementwise import MAPS, functor
from gpudb.kernels.launch import Device, cuda, matrix_grid
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


def launch(device: Device, x: Any, bias: Any, activation: str | None) -> Any:
    """A thread to 16 bytes of a few rows."""
    x, bias = device.contiguous(x), device.contiguous(bias)
    rows, width = x.shape
    function = cuda("bias_activation", T=x.dtype, FN=functor(activation))
    blocks, threads = matrix_grid(device, rows, width, x.dtype.itemsize)
    device.launch(function, blocks, threads, (x, bias, rows, width))
    return x


bias_activation = Kernel("bias_activation", reference, shape, launch=launch)
