"""Cut a whole tensor into other blocks: ``(n, *block)`` -> ``(m, *new_block)``.

``n`` and ``m`` are the blocks of the full grids, in row-major order; new edge blocks are padded
with zeros.
"""

from __future__ import annotations

from math import ceil, prod
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.boxes import element_grid, per_access
from gpudb.kernels.cuts import merged
from gpudb.kernels.launch import Device, cuda


def reference(
    x: Any, extent: tuple[int, ...], block: tuple[int, ...], new_block: tuple[int, ...]
) -> Any:
    """Assemble the dense tensor, then cut it."""
    return cut(assemble(x, extent, block), new_block)


def assemble(x: Any, extent: tuple[int, ...], block: tuple[int, ...]) -> Any:
    """Blocks of a full grid -> dense tensor of ``extent``, padding dropped."""
    grid = _grid(extent, block)
    if prod(grid) == 1:
        dense = x.reshape(block)
    else:
        axes = len(extent)
        order = [a for pair in zip(range(axes), range(axes, 2 * axes), strict=True) for a in pair]
        whole = tuple(g * b for g, b in zip(grid, block, strict=True))
        dense = x.reshape(grid + block).transpose(order).reshape(whole)
    return dense[tuple(slice(e) for e in extent)]


def cut(dense: Any, block: tuple[int, ...]) -> Any:
    """Dense tensor -> zero-padded blocks of a full grid, in row-major order."""
    extent = dense.shape
    grid = _grid(extent, block)
    if extent == block:
        return np.ascontiguousarray(dense)[None]
    whole = tuple(g * b for g, b in zip(grid, block, strict=True))
    if whole != extent:
        padded = np.zeros(whole, dense.dtype)
        padded[tuple(slice(e) for e in extent)] = dense
        dense = padded
    axes = len(extent)
    split = tuple(n for pair in zip(grid, block, strict=True) for n in pair)
    order = [*range(0, 2 * axes, 2), *range(1, 2 * axes, 2)]
    return np.ascontiguousarray(dense.reshape(split).transpose(order)).reshape(prod(grid), *block)


def shape(
    x: Any, extent: tuple[int, ...], block: tuple[int, ...], new_block: tuple[int, ...]
) -> tuple[int, ...]:
    """Shape of the result."""
    return (prod(_grid(extent, new_block)), *new_block)


def _grid(extent: tuple[int, ...], block: tuple[int, ...]) -> tuple[int, ...]:
    # A named extent that is 0 in this run is still one block along its axis.
    return tuple(ceil(e / b) if b else 1 for e, b in zip(extent, block, strict=True))


def launch(
    device: Device,
    x: Any,
    extent: tuple[int, ...],
    block: tuple[int, ...],
    new_block: tuple[int, ...],
) -> Any:
    """Each element of the result finds where it comes from; the dense tensor is never there."""
    x = device.contiguous(x)
    out = device.empty(shape(x, extent, block, new_block), x.dtype)
    cuts, _ = merged(extent, block, new_block)
    packed = cuts.is_packed(x.dtype.itemsize)
    per = per_access(x.dtype.itemsize, packed)
    grid = element_grid(device, prod(out.shape), per)
    function = cuda("reblock", T=x.dtype, AXES=cuts.axes)
    sizes = (out.shape[0], prod(new_block), prod(block))
    device.launch(function, *grid, (x, out, *sizes, packed, *cuts.numbers(cuts.grid)))
    return out


reblock = Kernel("reblock", reference, shape, launch=launch)
