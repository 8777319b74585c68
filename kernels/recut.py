"""Cut some blocks of a tensor into some other blocks: ``(n, *block)`` -> ``(m, *new_block)``.

Like ``reblock``, for parts of the grids: ``keys`` ``(n, ndim)`` and ``new_keys`` ``(m, ndim)`` say
which blocks. Old blocks that are not given are zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.boxes import element_grid, per_access
from gpudb.kernels.cuts import Cuts, merged
from gpudb.kernels.launch import Device, cuda


def reference(
    x: Any,
    keys: Any,
    new_keys: Any,
    extent: tuple[int, ...],
    block: tuple[int, ...],
    new_block: tuple[int, ...],
) -> Any:
    """Block by block: each new one is put together from the old ones it lies over."""
    place: dict[tuple[int, ...], int] = {tuple(k): n for n, k in enumerate(keys.tolist())}
    out: Any = np.zeros((len(new_keys), *new_block), x.dtype)
    for number, new_key in enumerate(new_keys.tolist()):
        for key in touched(new_key, extent, block, new_block):
            if key not in place:
                continue
            into, source = _overlap(new_key, key, extent, block, new_block)
            out[(number, *into)] = x[(place[key], *source)]
    return out


def shape(
    x: Any,
    keys: Any,
    new_keys: Any,
    extent: tuple[int, ...],
    block: tuple[int, ...],
    new_block: tuple[int, ...],
) -> tuple[int, ...]:
    """Shape of the result."""
    return (len(new_keys), *new_block)


def touched(
    new_key: Sequence[int],
    extent: tuple[int, ...],
    block: tuple[int, ...],
    new_block: tuple[int, ...],
) -> Iterator[tuple[int, ...]]:
    """Keys of the old blocks that a new one lies over."""
    spans = []
    for k, e, old, new in zip(new_key, extent, block, new_block, strict=True):
        start, stop = k * new, min(e, (k + 1) * new)
        spans.append(range(start // old, -(-stop // old)))
    return product(*spans)


def _overlap(
    new_key: Sequence[int],
    key: Sequence[int],
    extent: tuple[int, ...],
    block: tuple[int, ...],
    new_block: tuple[int, ...],
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """What two blocks share: its place in the new one and in the old one."""
    into, source = [], []
    for n, k, e, old, new in zip(new_key, key, extent, block, new_block, strict=True):
        start = max(n * new, k * old)
        stop = min((n + 1) * new, (k + 1) * old, e)
        into.append(slice(start - n * new, stop - n * new))
        source.append(slice(start - k * old, stop - k * old))
    return tuple(into), tuple(source)


def launch(
    device: Device,
    x: Any,
    keys: Any,
    new_keys: Any,
    extent: tuple[int, ...],
    block: tuple[int, ...],
    new_block: tuple[int, ...],
) -> Any:
    """Which old blocks a new one lies over is found on the host: keys are host arrays."""
    x = device.contiguous(x)
    out = device.empty(shape(x, keys, new_keys, extent, block, new_block), x.dtype)
    if not prod(out.shape):
        return out
    cuts, kept = merged(extent, block, new_block)
    starts = new_keys[:, kept].astype(np.int64) * cuts.new_block
    touched, numbers = _old_blocks(cuts, starts, keys[:, kept])
    packed = cuts.is_packed(x.dtype.itemsize)
    grid = element_grid(device, prod(out.shape), per_access(x.dtype.itemsize, packed))
    sizes = (len(out), prod(new_block), prod(block), numbers.shape[1])
    axes = cuts.numbers(touched)
    args = (x, device.rows(starts), device.rows(numbers), out, *sizes, packed, *axes)
    device.launch(cuda("recut", T=x.dtype, AXES=cuts.axes), *grid, args)
    return out


def _old_blocks(cuts: Cuts, starts: Any, keys: Any) -> tuple[tuple[int, ...], Any]:
    """How many old blocks a new one lies over at most along each axis, and which they are.

    ``starts`` ``(m, axes)``, ``keys`` ``(n, axes)`` -> ``(m, product of the first)``, in row-major
    order; -1 where one is not given or not there.
    """
    first = starts // cuts.block
    last = (np.minimum(starts + cuts.new_block, cuts.extent) - 1) // cuts.block
    touched = tuple((last - first).max(axis=0) + 1)
    wanted = first[:, None] + np.stack(np.unravel_index(np.arange(prod(touched)), touched), axis=1)
    grid = cuts.grid
    given = np.ravel_multi_index(tuple(keys.T), grid)
    order = np.argsort(given)
    inside = np.all(wanted < grid, axis=-1)
    asked = np.ravel_multi_index(tuple(np.moveaxis(wanted, -1, 0)), grid, mode="clip")
    found = np.append(order, -1)[np.searchsorted(given, asked, sorter=order)]
    there = inside & (np.append(given, -1)[found] == asked)
    return tuple(map(int, touched)), np.where(there, found, -1)


recut = Kernel("recut", reference, shape, launch=launch)
