"""Boxes of elements that kernels go through in order: few axes, long runs, 16 bytes at a time.

Axes that follow each other in every array are one axis to a kernel: ``(8, 64, 384)`` of a
contiguous array is a run of 196,608 elements. What is left goes to the kernel as numbers, one for
each of :data:`MAX_AXES` axes, so that no table has to be copied to the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from gpudb.errors import DeviceError
from gpudb.kernels.launch import Device, ceil_div, grid_for

MAX_AXES = 8
"""MAX_AXES of ``boxes.cuh``."""

TILE = 32
"""TILE of ``tiles.cuh``."""

TILE_THREADS = 256
"""Of a block that transposes one tile: four rows of it for each warp."""

LEAST_TILED = 16
"""Elements along both axes from which a transpose through tiles is worth it, if the matrix is not
larger than a tile: smaller ones stay in the first cache while a warp goes through them."""


@dataclass(frozen=True, slots=True)
class Box:
    """A result of ``extents``, written in row-major order, and arrays that are read for it."""

    extents: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]
    """For each array, elements between neighbours along each axis; 0 repeats an element."""

    @property
    def axes(self) -> int:
        """How many there are, 1 at least."""
        return len(self.extents)

    @property
    def size(self) -> int:
        """Elements of the result."""
        return prod(self.extents)

    def is_packed(self, itemsize: int) -> bool:
        """Whether 16 bytes of the result are 16 bytes of every array, or one element repeated."""
        per = 16 // itemsize
        return self.extents[-1] % per == 0 and all(
            steps[-1] in (0, 1) and all(step % per == 0 for step in steps[:-1])
            for steps in self.steps
        )

    def numbers(self) -> tuple[int, ...]:
        """Arguments of a kernel: extents, then the steps of each array."""
        return (
            *padded(self.extents, 1),
            *(step for steps in self.steps for step in padded(steps, 0)),
        )


@dataclass(frozen=True, slots=True)
class Tiles:
    """Matrices that a box transposes; ``outer`` says where each begins, read and written."""

    outer: Box
    rows: int
    columns: int
    from_column: int
    """Elements between columns of the result where they are read; rows are neighbours there."""
    inner: int
    """Rows that follow each other in the result."""
    to_row: int
    """Elements between these."""
    to_outer: int
    """Elements of the result after which the next ``inner`` rows begin."""

    @property
    def number(self) -> int:
        """Of tiles."""
        return self.outer.size * ceil_div(self.rows, TILE) * ceil_div(self.columns, TILE)

    def numbers(self) -> tuple[int, ...]:
        """Arguments of a kernel."""
        rows = (self.inner, self.to_row, self.to_outer)
        shape = (self.rows, self.columns, self.from_column, *rows)
        return (self.outer.size, *shape, *self.outer.numbers())


def contiguous_steps(shape: Sequence[int]) -> tuple[int, ...]:
    """Elements between neighbours along each axis of a C-contiguous array."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


def spread_steps(shape: Sequence[int], axes: Sequence[int | None]) -> tuple[int, ...]:
    """Steps of a contiguous array along ``axes`` of it; 0 where it has none, or one element."""
    steps = contiguous_steps(shape)
    return tuple(0 if axis is None or shape[axis] == 1 else steps[axis] for axis in axes)


def box(extents: Sequence[int], *steps: Sequence[int]) -> Box:
    """The same elements in the same order with as few axes as possible.

    Raises
    ------
    DeviceError
        More than :data:`MAX_AXES` are left.
    """
    merged: list[tuple[int, tuple[int, ...]]] = []
    for extent, *along in zip(extents, *steps, strict=True):
        if extent == 1:
            continue
        if merged and merged[-1][1] == tuple(step * extent for step in along):
            extent *= merged.pop()[0]
        merged.append((extent, tuple(along)))
    if not merged:
        merged = [(1, (0,) * len(steps))]
    if len(merged) > MAX_AXES:
        raise DeviceError(
            f"a box of shape {tuple(extents)} still has {len(merged)} axes when those that follow "
            f"each other are one; kernels know {MAX_AXES}"
        )
    return Box(
        tuple(extent for extent, _ in merged),
        tuple(tuple(along[array] for _, along in merged) for array in range(len(steps))),
    )


def tiles(whole: Box) -> Tiles | None:
    """How to transpose through tiles; None where neighbours are read as neighbours anyway."""
    (steps,) = whole.steps
    last = whole.axes - 1
    if steps[last] == 1 or 1 not in steps:
        return None
    turned = steps.index(1)
    inner, columns = whole.extents[turned], whole.extents[last]
    # An axis whose elements follow those of the turned one where they are read gives rows as well,
    # but for a long one, which fills tiles by itself: rows of these lie between each other's.
    behind = [axis for axis in range(last) if steps[axis] == inner and inner < TILE * TILE]
    rows = inner * prod(whole.extents[axis] for axis in behind)
    if min(rows, columns) < LEAST_TILED and rows * columns <= TILE * TILE:
        return None
    written = contiguous_steps(whole.extents)
    outer = [axis for axis in range(last) if axis not in (turned, *behind)]
    return Tiles(
        box(*([numbers[axis] for axis in outer] for numbers in (whole.extents, steps, written))),
        rows,
        columns,
        steps[last],
        inner,
        written[turned],
        written[behind[0]] if behind else 0,
    )


def element_grid(device: Device, count: int, per: int) -> tuple[int, int]:
    """Blocks and threads for ``count`` elements, ``per`` of them to a thread."""
    threads = device.block_size(256)
    return grid_for(ceil_div(count, per), threads), threads


def run_grid(device: Device, blocks: int, size: int, itemsize: int) -> tuple[int, int]:
    """Blocks and threads for kernels that move so many runs of ``size`` elements."""
    return element_grid(device, blocks * size, per_access(itemsize, size * itemsize % 16 == 0))


def per_access(itemsize: int, packed: bool) -> int:
    """Elements that a thread moves at once."""
    return 16 // itemsize if packed else 1


def padded(numbers: Sequence[int], rest: int) -> tuple[int, ...]:
    """One number for each axis that a kernel knows."""
    return (*numbers, *(rest,) * (MAX_AXES - len(numbers)))


def flat(x: Any, first: int = 0) -> Any:
    """A contiguous array from one element on, as a run."""
    return x.reshape(-1)[first:]
