"""Combine the blocks of a full grid along some of its axes, element by element.

``(n, *block)`` -> ``(m, *block)``, with ``n`` the blocks of ``grid`` and ``m`` those of the axes
that stay. ``dropped`` lists (axis, extent in elements) of the others: the last block along an axis
may be shorter, and its padding takes no part. Where nothing is combined the result is zero.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, size, thread_grid

Dropped = tuple[tuple[int, int], ...]


def reference(x: Any, grid: tuple[int, ...], dropped: Dropped, fn: str) -> Any:
    """``max`` and ``min`` over all dropped axes; ``argmax`` over one, the number of a block."""
    axes = tuple(axis for axis, _ in dropped)
    block = x.shape[1:]
    whole = x.reshape(grid + block)
    kept = tuple(n for axis, n in enumerate(grid) if axis not in axes)
    out = np.zeros(kept + block, dtype(x, grid, dropped, fn))
    for parts in product(*(_parts(extent, block[axis]) for axis, extent in dropped)):
        source = [slice(None)] * whole.ndim
        target = [slice(None)] * out.ndim
        for axis, (blocks, elements) in zip(axes, parts, strict=True):
            source[axis] = slice(blocks)
            source[len(grid) + axis] = target[len(kept) + axis] = elements
        chosen = whole[tuple(source)]
        if fn == "argmax":
            out[tuple(target)] = np.argmax(chosen, axes[0])
        else:
            out[tuple(target)] = (np.max if fn == "max" else np.min)(chosen, axes)
    return out.reshape(prod(kept), *block)


def shape(x: Any, grid: tuple[int, ...], dropped: Dropped, fn: str) -> tuple[int, ...]:
    """Shape of the result."""
    axes = [axis for axis, _ in dropped]
    return (prod(n for axis, n in enumerate(grid) if axis not in axes), *x.shape[1:])


def dtype(x: Any, grid: tuple[int, ...], dropped: Dropped, fn: str) -> Any:
    """Dtype of the result."""
    return np.dtype(np.int64) if fn == "argmax" else x.dtype


def _parts(extent: int, block: int) -> list[tuple[int, slice]]:
    """Along one axis: so many blocks have these elements."""
    blocks, rest = divmod(extent, block)
    parts = [(blocks + 1, slice(0, rest))] if rest else []
    return [*parts, (blocks, slice(rest, block))] if blocks else parts


def launch(device: Device, x: Any, grid: tuple[int, ...], dropped: Dropped, fn: str) -> Any:
    """One axis after the other: the largest of the largest is the largest."""
    x = device.contiguous(x)
    if not dropped:
        return _along(device, x, (1, 1, x.shape[0]), (0, x.shape[1]), fn)
    left = list(grid)
    for axis, extent in dropped:
        around = (prod(left[:axis]), left[axis], prod(left[axis + 1 :]))
        x = _along(device, x, around, (axis, extent), fn)
        left[axis] = 1
    return x


def _along(
    device: Device, x: Any, around: tuple[int, int, int], axis: tuple[int, int], fn: str
) -> Any:
    """``around`` is the number of blocks before, along and after the axis (number, extent)."""
    block = x.shape[1:]
    number, extent = axis
    before, along, after = around
    whole = (before * after, *block)
    inner = size(block[number + 1 :])
    blocks, threads = thread_grid(device, size(whole))
    which = "Smallest" if fn == "min" else "Largest"
    name = "reduce_grid_argmax" if fn == "argmax" else "reduce_grid"
    function = cuda("reduce_grid", name, T=x.dtype, WHICH=which)
    out = device.empty(whole, np.int64 if fn == "argmax" else x.dtype)
    args = (x, out, before, along, after, size(block), block[number], inner, extent)
    device.launch(function, blocks, threads, args)
    return out


reduce_grid = Kernel("reduce_grid", reference, shape, dtype, launch=launch)
