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
from gpudb.kernels.launch import Device, cuda
from gpudb.kernels.lines import item_grid

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


FUNCTORS = {"max": "Largest", "min": "Smallest", "argmax": "Place"}
"""Name in a plan -> struct of ``reduce_grid.cu``."""


def launch(device: Device, x: Any, grid: tuple[int, ...], dropped: Dropped, fn: str) -> Any:
    """A thread to an element of the result; which blocks meet is worked out on the host."""
    x, result = device.contiguous(x), dtype(x, grid, dropped, fn)
    out = device.empty(shape(x, grid, dropped, fn), result)
    block = x.shape[1:]
    axes = [axis for axis, _ in dropped]
    kept = [axis for axis in range(len(grid)) if axis not in axes]
    numbers = np.arange(prod(grid)).reshape(grid).transpose(*kept, *axes)
    met = [grid[axis] for axis in axes]
    cells = np.array(list(np.ndindex(*met)), np.int64).reshape(prod(met), len(axes))
    extents = np.array([block[axis] for axis in axes], np.int64)
    limits = np.array([extent for _, extent in dropped], np.int64) - cells * extents
    tables = (numbers, limits, [prod(block[axis + 1 :]) for axis in axes], extents)
    size = prod(block)
    args = (
        *(x, *(device.rows(np.asarray(t, np.int64).reshape(-1)) for t in tables), out),
        *(len(out), prod(met), len(axes), size),
    )
    function = cuda("reduce_grid", T=x.dtype, R=result, FN=FUNCTORS[fn])
    device.launch(function, *item_grid(device, len(out) * size), args)
    return out


reduce_grid = Kernel("reduce_grid", reference, shape, dtype, launch)
