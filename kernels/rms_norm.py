"""Root-mean-square norm of each row: ``(n, w)``, ``(w,)`` -> ``(n, w)``.

``x / sqrt(mean(x²) + eps) * gamma``: Zhang and Sennrich, "Root Mean Square Layer Normalization",
2019.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, row_grid
from gpudb.kernels.rows import row_pieces


def reference(x: Any, gamma: Any, eps: float) -> Any:
    """Piece by piece, in a copy."""
    out = np.empty_like(x)
    for piece in row_pieces(x):
        part = out[piece]
        part[...] = x[piece]
        mean = np.einsum("ij,ij->i", part, part)[:, None]
        mean /= x.shape[1]
        mean += eps
        part /= np.sqrt(mean)
        part *= gamma
    return out


def shape(x: Any, gamma: Any, eps: float) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(x.shape)


def launch(device: Device, x: Any, gamma: Any, eps: float) -> Any:
    """One block per row."""
    x, gamma = device.contiguous(x), device.contiguous(gamma)
    out = device.empty(x.shape, x.dtype)
    rows, width = x.shape
    grid = row_grid(device, rows if width else 0, width, x.dtype.itemsize)
    args = (x, gamma, out, rows, width, eps, grid.kept)
    function = cuda("rms_norm", T=x.dtype, **grid.defines)
    device.launch(function, grid.blocks, grid.threads, args, grid.shared)
    return out


rms_norm = Kernel("rms_norm", reference, shape, launch=launch)
