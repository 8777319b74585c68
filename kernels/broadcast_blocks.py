"""Choose blocks and repeat the elements of each: ``(n, *old)``, rows ``(m,)`` -> ``(m, *block)``.

``repeated`` are axes of the result: those in front that ``old`` lacks, and those along which only
the first element of a block is there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.boxes import box, element_grid, per_access, spread_steps
from gpudb.kernels.launch import Device, cuda, size
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


def launch(
    device: Device, x: Any, rows: Any, block: tuple[int, ...], repeated: tuple[int, ...]
) -> Any:
    """Axes that repeat are read with steps of 0."""
    x, numbers = device.contiguous(x), device.rows(rows)
    out = device.empty(shape(x, rows, block, repeated), x.dtype)
    new = len(block) + 1 - len(x.shape)
    axes = [None if axis < new or axis in repeated else axis - new for axis in range(len(block))]
    spread = box(block, spread_steps(x.shape[1:], axes))
    repeats = spread.steps[0][-1] == 0
    packed = spread.is_packed(x.dtype.itemsize)
    per = per_access(x.dtype.itemsize, packed)
    blocks, threads = element_grid(device, len(numbers) * spread.size, per)
    function = cuda("broadcast_blocks", T=x.dtype, AXES=spread.axes)
    sizes = (len(numbers), size(x.shape[1:]), spread.size)
    device.launch(
        function, blocks, threads, (x, numbers, out, *sizes, packed, repeats, *spread.numbers())
    )
    return out


broadcast_blocks = Kernel("broadcast_blocks", reference, shape, launch=launch)
