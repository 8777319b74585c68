"""Put whole lines of blocks at any offset along an axis: ``(n_i, *block)`` -> ``(n, *block)``.

``offsets[i]`` is where element 0 of part ``i`` goes; before 0 and past the grid elements are cut
off, where no part goes there are zeros. Parts follow each other, and a later one overwrites the
padding of an earlier one. Concatenation and slicing are both this.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.boxes import flat, per_access, run_grid
from gpudb.kernels.launch import Device, cuda


def reference(parts: list[Any], offsets: tuple[int, ...], grid: tuple[int, ...], axis: int) -> Any:
    """A shifted block falls into two blocks of the result: two strided copies for each part."""
    before, blocks, after = prod(grid[:axis]), grid[axis], prod(grid[axis + 1 :])
    block = parts[0].shape[1:]
    out = np.zeros((before, blocks, after, *block), parts[0].dtype)
    length = block[axis]
    for part, offset in zip(parts, offsets, strict=True):
        if part.size == 0 or out.size == 0:
            continue
        source = part.reshape(before, -1, after, *block)
        step, inner = divmod(offset, length)
        _put(out, source, step, slice(inner, None), slice(length - inner), axis)
        if inner:
            _put(out, source, step + 1, slice(inner), slice(length - inner, None), axis)
    return out.reshape(shape(parts, offsets, grid, axis))


def _put(out: Any, source: Any, step: int, to: slice, come_from: slice, axis: int) -> None:
    """Cells of every block ``i`` of ``source`` to cells of block ``i + step`` of ``out``."""
    first, stop = max(0, -step), min(source.shape[1], out.shape[1] - step)
    if first >= stop:
        return
    inside = (slice(None),) * (1 + axis)
    target = out[(slice(None), slice(first + step, stop + step), *inside, to)]
    target[...] = source[(slice(None), slice(first, stop), *inside, come_from)]


def shape(
    parts: list[Any], offsets: tuple[int, ...], grid: tuple[int, ...], axis: int
) -> tuple[int, ...]:
    """Shape of the result."""
    return (prod(grid), *parts[0].shape[1:])


def launch(
    device: Device, parts: list[Any], offsets: tuple[int, ...], grid: tuple[int, ...], axis: int
) -> Any:
    """The same copies, one launch for each."""
    out = device.zeros(shape(parts, offsets, grid, axis), parts[0].dtype)
    length = out.shape[1 + axis]
    for part, offset in zip(parts, offsets, strict=True):
        if not prod(part.shape) or not prod(out.shape):
            continue
        part = device.contiguous(part)
        step, inner = divmod(offset, length)
        _move(device, part, out, grid, axis, step, 0, inner)
        if inner:
            _move(device, part, out, grid, axis, step + 1, length - inner, 0)
    return out


def _move(
    device: Device,
    part: Any,
    out: Any,
    grid: tuple[int, ...],
    axis: int,
    step: int,
    come_from: int,
    to: int,
) -> None:
    """Cells from ``come_from`` on of every block ``i`` to cells from ``to`` on of ``i + step``."""
    before, blocks, after = prod(grid[:axis]), grid[axis], prod(grid[axis + 1 :])
    block = out.shape[1:]
    lines = part.shape[0] // (before * after)
    first, stop = max(0, -step), min(lines, blocks - step)
    if first >= stop:
        return
    cell = prod(block[axis + 1 :])
    middle_step = block[axis] * cell
    block_step = after * prod(block)
    run = (block[axis] - max(come_from, to)) * cell
    source = flat(part, first * block_step + come_from * cell)
    target = flat(out, (first + step) * block_step + to * cell)
    middle = after * prod(block[:axis])
    numbers = (before, stop - first, middle, run)
    steps = (lines * block_step, blocks * block_step, block_step, middle_step)
    itemsize = out.dtype.itemsize
    packed = all(n % per_access(itemsize, True) == 0 for n in (run, *steps))
    threads = run_grid(device, before * (stop - first) * middle, run, itemsize)
    args = (source, target, *numbers, *steps, packed)
    device.launch(cuda("shift_along", T=out.dtype), *threads, args)


shift_along = Kernel("shift_along", reference, shape, launch=launch)
