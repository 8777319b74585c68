"""Put whole lines of blocks at any offset along an axis: ``(n_i, *block)`` -> ``(n, *block)``.

``offsets[i]`` is where element 0 of part ``i`` goes; before 0 and past the grid elements are cut
off, where no part goes there are zeros. Parts follow each other, and a later one overwrites the
padding of an earlier one. Concatenation and slicing are both this.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.boxes import per_access, run_grid
from gpudb.kernels.launch import Device, ceil_div, cuda


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
    """A launch for each run of places along the axis that one part gives; each is written once."""
    out = device.empty(shape(parts, offsets, grid, axis), parts[0].dtype)
    if not prod(out.shape):
        return out
    length = out.shape[1 + axis]
    others = prod(grid) // grid[axis]
    ends = [o + len(part) // others * length for o, part in zip(offsets, parts, strict=True)]
    for n, span in _spans(list(zip(offsets, ends, strict=True)), grid[axis] * length):
        _fill(device, device.contiguous(parts[n]), offsets[n], span, out, grid, axis)
    return out


def _spans(covered: list[tuple[int, int]], stop: int) -> list[tuple[int, tuple[int, int]]]:
    """(part, places) for all places up to ``stop``, of the last part that covers them.

    Places that no part covers go to the part before them, which has zeros for them.
    """
    edges = {min(max(0, place), stop) for span in covered for place in span} | {0, stop}
    spans: list[tuple[int, tuple[int, int]]] = []
    owner = 0
    for first, after in pairwise(sorted(edges)):
        there = [n for n, (start, end) in enumerate(covered) if start <= first and after <= end]
        owner = there[-1] if there else owner
        if spans and spans[-1][0] == owner:
            first = spans.pop()[1][0]
        spans.append((owner, (first, after)))
    return spans


def _fill(
    device: Device,
    part: Any,
    offset: int,
    span: tuple[int, int],
    out: Any,
    grid: tuple[int, ...],
    axis: int,
) -> None:
    """Places along the axis, from one up to another, with what a part has for them."""
    before, blocks, after = prod(grid[:axis]), grid[axis], prod(grid[axis + 1 :])
    block = out.shape[1:]
    length, cell = block[axis], prod(block[axis + 1 :])
    lines, middle, run = (
        part.shape[0] // (before * after),
        after * prod(block[:axis]),
        length * cell,
    )
    first, touched = span[0] // length, ceil_div(span[1], length) - span[0] // length
    places = (offset * cell, span[0] * cell, span[1] * cell)
    itemsize = out.dtype.itemsize
    packed = all(n % per_access(itemsize, True) == 0 for n in (run, *places))
    threads = run_grid(device, before * touched * middle, run, itemsize)
    args = (part, out, before, lines, blocks, middle, run, *places, first, touched, packed)
    device.launch(cuda("shift_along", T=out.dtype), *threads, args)


shift_along = Kernel("shift_along", reference, shape, launch=launch)
