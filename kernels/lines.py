"""Who reads the lines along an axis of blocks: the launch of kernels over ``lines.cuh``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gpudb.kernels.launch import Cuda, Device, ceil_div, cuda, grid_for, row_threads, size

SHORT = 32
"""Contiguous lines of fewer elements would leave lanes of a warp idle."""

WARP_NBYTES = 4096
"""Longest line of a warp: eight loads of 16 bytes for each lane."""

MOST_STRIP_WARPS = 8
"""Warps that share 32 lines at most."""

ELEMENTS_EACH = 16
"""Elements that each of them has at least."""


@dataclass(frozen=True, slots=True)
class LineGrid:
    """A grid over all lines, as ``over_lines`` expects it."""

    team: str
    """Who reads a line: a struct of ``lines.cuh``."""
    blocks: int
    threads: int
    shared: int
    """Bytes of shared memory: what threads of a team hand each other."""
    numbers: tuple[int, int, int, int]
    """The struct ``Lines``."""


def line_grid(device: Device, x: Any, axis: int) -> LineGrid:
    """Of ``(n, *block)``, along an axis of the block."""
    count, extent = x.shape[0], x.shape[1 + axis]
    inner = size(x.shape[2 + axis :])
    rest = size(x.shape[1 : 1 + axis]) * inner
    lines = count * rest
    itemsize = x.dtype.itemsize
    if inner > 1 or extent < SHORT:
        team, per_block = "StripTeam", 32
        warps = min(MOST_STRIP_WARPS, ceil_div(extent, ELEMENTS_EACH))
        threads = device.block_size(32 * max(1, warps))
        shared = 8 * threads if threads > 32 else 0
    elif extent * itemsize <= WARP_NBYTES:
        team, threads, shared = "WarpTeam", device.block_size(128), 0
        per_block = threads // 32
    else:
        team, per_block, shared = "BlockTeam", 1, 8 * 32
        threads = device.block_size(min(512, row_threads(extent, itemsize)))
    return LineGrid(team, grid_for(lines, per_block), threads, shared, (lines, rest, extent, inner))


def launch_lines(
    device: Device, function: str, x: Any, lengths: Any, out: Any, axis: int, **defines: Any
) -> None:
    """Run a kernel ``(x, lengths, out, the four numbers of Lines)``."""
    x = device.contiguous(x)
    grid = line_grid(device, x, axis)
    kernel: Cuda = cuda(function, T=x.dtype, TEAM=grid.team, **defines)
    args = (x, device.rows(lengths), out, *grid.numbers)
    device.launch(kernel, grid.blocks, grid.threads, args, grid.shared)
