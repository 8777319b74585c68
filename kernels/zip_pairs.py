"""Combine pairs of blocks element by element: ``(n, *a)``, ``(m, *b)`` -> ``(p, *c)``.

Pair ``i`` is block ``rows_x[i]`` of ``x`` and ``rows_y[i]`` of ``y``; -1 is a block of zeros. The
blocks of ``x`` have as many axes as those of the result; ``order`` says which axis of ``y`` lies at
each axis of the result, None where ``y`` has none. Axes of extent 1 are repeated.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.boxes import (
    Box,
    box,
    contiguous_steps,
    element_grid,
    per_access,
    spread_steps,
)
from gpudb.kernels.elementwise import ZIPS, functor
from gpudb.kernels.launch import Device, cuda
from gpudb.kernels.rows import row_pieces
from gpudb.kernels.take_or_zero import take_or_zero

Order = tuple[int | None, ...]


def reference(x: Any, y: Any, rows_x: Any, rows_y: Any, order: Order, fn: str) -> Any:
    """In pieces: only what a piece needs is gathered."""
    out = np.empty(shape(x, y, rows_x, rows_y, order, fn), np.result_type(x, y))
    for piece in row_pieces(out):
        right = _spread(_blocks(y, rows_y[piece]), order)
        out[piece] = ZIPS[fn](_blocks(x, rows_x[piece]), right)
    return out


def shape(x: Any, y: Any, rows_x: Any, rows_y: Any, order: Order, fn: str) -> tuple[int, ...]:
    """Shape of the result."""
    right = tuple(1 if axis is None else y.shape[axis + 1] for axis in order)
    return (len(rows_x), *np.broadcast_shapes(x.shape[1:], right))


def dtype(x: Any, y: Any, *rest: Any) -> Any:
    """Dtype of the result."""
    return np.result_type(x, y)


def _blocks(x: Any, rows: Any) -> Any:
    """A single block, which may be large, is not copied."""
    if len(rows) == 1 and rows[0] >= 0:
        return x[rows[0] : rows[0] + 1]
    return take_or_zero.reference(x, rows)


def _spread(y: Any, order: Order) -> Any:
    moved = y.transpose(0, *(axis + 1 for axis in order if axis is not None))
    return moved[(slice(None), *(None if axis is None else slice(None) for axis in order))]


def launch(device: Device, x: Any, y: Any, rows_x: Any, rows_y: Any, order: Order, fn: str) -> Any:
    """Blocks are read where they lie, axes that repeat with steps of 0."""
    x, y = device.contiguous(x), device.contiguous(y)
    rows_x, rows_y = device.rows(rows_x), device.rows(rows_y)
    out = device.empty(shape(x, y, rows_x, rows_y, order, fn), dtype(x, y))
    left = spread_steps(x.shape[1:], range(len(order)))
    block = _walked(out.shape[1:], left, spread_steps(y.shape[1:], order))
    packed = block.is_packed(out.dtype.itemsize)
    per = per_access(out.dtype.itemsize, packed)
    grid = element_grid(device, len(out) * block.size, per)
    types = {"X": x.dtype, "Y": y.dtype, "T": out.dtype}
    function = cuda("zip_pairs", **types, FN=functor(fn), AXES=block.axes)
    sizes = (len(out), prod(x.shape[1:]), prod(y.shape[1:]), block.size)
    args = (x, y, rows_x, rows_y, out, *sizes, packed, *block.numbers())
    device.launch(function, *grid, args)
    return out


def _walked(extents: tuple[int, ...], left: tuple[int, ...], right: tuple[int, ...]) -> Box:
    """A block of the result in its own order, or in that of the right side where this is shorter.

    A walk in one order meets each sector of an array in another order again after as many elements
    as lie behind its last axis: few enough, and the cache still has it.
    """
    written = contiguous_steps(extents)
    axes = list(range(len(extents)))
    turned = sorted(axes, key=lambda axis: -right[axis])
    if axes and all(right):
        behind = prod(extents[turned[-1] + 1 :])
        behind_turned = prod(extents[axis] for axis in turned[turned.index(axes[-1]) + 1 :])
        if 2 * behind_turned < behind:  # x and out are in the order that is left
            axes = turned
    every = (extents, left, right, written)
    return box(*(tuple(numbers[axis] for axis in axes) for numbers in every))


zip_pairs = Kernel("zip_pairs", reference, shape, dtype, launch)
