"""Choose blocks and turn each: ``(n, *block)``, rows ``(m,)`` -> ``(m, *turned block)``.

Axis ``order[d]`` of a block becomes its axis ``d``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.boxes import (
    TILE_THREADS,
    Box,
    Tiles,
    box,
    contiguous_steps,
    element_grid,
    per_access,
    tiles,
)
from gpudb.kernels.launch import Device, cuda, grid_for
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


def launch(device: Device, x: Any, rows: Any, order: tuple[int, ...]) -> Any:
    """Through tiles where other neighbours are read than written, else run by run."""
    x, chosen_rows = device.contiguous(x), device.rows(rows)
    out = device.empty(shape(x, rows, order), x.dtype)
    steps = contiguous_steps(x.shape[1:])
    block = box(out.shape[1:], [steps[axis] for axis in order])
    through = tiles(block)
    if through is None:
        _by_runs(device, x, chosen_rows, out, block)
    else:
        _by_tiles(device, x, chosen_rows, out, through)
    return out


def _by_runs(device: Device, x: Any, rows: Any, out: Any, block: Box) -> None:
    packed = block.is_packed(x.dtype.itemsize)
    per = per_access(x.dtype.itemsize, packed)
    blocks, threads = element_grid(device, len(rows) * block.size, per)
    function = cuda("transpose_blocks", T=x.dtype, AXES=block.axes)
    args = (x, rows, out, len(rows), block.size, packed, *block.numbers())
    device.launch(function, blocks, threads, args)


def _by_tiles(device: Device, x: Any, rows: Any, out: Any, through: Tiles) -> None:
    function = cuda(
        "transpose_blocks", "transpose_blocks_tiled", T=x.dtype, AXES=through.outer.axes
    )
    blocks = grid_for(len(rows) * through.number, 1)
    size = through.outer.size * through.rows * through.columns
    args = (x, rows, out, len(rows), size, *through.numbers())
    device.launch(function, blocks, device.block_size(TILE_THREADS), args)


transpose_blocks = Kernel("transpose_blocks", reference, shape, launch=launch)
