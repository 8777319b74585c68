"""Lines along one axis of blocks, as kernels number them: ``lines.cuh``."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from gpudb.kernels.launch import WARP, Device, grid_for

THREADS = 256


def line_extents(block: Sequence[int], axis: int) -> tuple[int, int, int]:
    """Elements of a block outside an axis, along it, and within it."""
    return prod(block[:axis]), block[axis], prod(block[axis + 1 :])


def line_grid(device: Device, lines: int, inner: int) -> tuple[int, int]:
    """Blocks and threads: a warp to a line whose elements are neighbours, else a thread."""
    threads = device.block_size(THREADS)
    return grid_for(lines, threads // WARP if inner == 1 else threads), threads


def item_grid(device: Device, items: int) -> tuple[int, int]:
    """Blocks and threads: a thread to an item."""
    threads = device.block_size(THREADS)
    return grid_for(items, threads), threads
