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


shift_along = Kernel("shift_along", reference, shape)
