"""Who reads the lines along an axis of blocks: the launch of kernels over ``lines.cuh``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gpudb.kernels.launch import WARP, Device, ceil_div, cuda, grid_for, size

SHORT = 32
"""Contiguous lines of fewer elements would leave lanes of a warp idle."""

WARP_NBYTES = 4096
"""Longest line of a warp: eight loads of 16 bytes for each lane."""

NBYTES_EACH = 64
"""Of elements that a thread has at least, where more than a warp shares lines: several loads are on
their way at a time, and handing sums over costs little beside them."""

MOST_WARPS = 16
"""Of a block: one of 512 threads can have 128 registers for each."""

STRIP = 32
"""Lines beside each other that a block takes, in ``StripTeam``."""


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
    if inner > 1 or extent < SHORT:
        team, threads = "StripTeam", _threads(device, extent * x.dtype.itemsize)
        per_block, shared = STRIP, 8 * threads if threads > WARP else 0
    elif extent * x.dtype.itemsize <= WARP_NBYTES:
        team, threads = "WarpTeam", device.block_size(4 * WARP)
        per_block, shared = threads // WARP, 0
    else:
        team, threads = "BlockTeam", _threads(device, ceil_div(extent * x.dtype.itemsize, WARP))
        per_block, shared = 1, 8 * WARP
    return LineGrid(team, grid_for(lines, per_block), threads, shared, (lines, rest, extent, inner))


def _threads(device: Device, nbytes: int) -> int:
    """Of a block whose lanes have so many bytes of elements each, if it is one warp."""
    warps = min(MOST_WARPS, max(1, ceil_div(nbytes, NBYTES_EACH)))
    return device.block_size(WARP * warps)


def launch_lines(
    device: Device, function: str, x: Any, lengths: Any, out: Any, axis: int, **defines: Any
) -> None:
    """Run a kernel ``(x, lengths, out, the four numbers of Lines)``."""
    x = device.contiguous(x)
    grid = line_grid(device, x, axis)
    kernel = cuda(function, T=x.dtype, TEAM=grid.team, **defines)
    args = (x, device.rows(lengths), out, *grid.numbers)
    device.launch(kernel, grid.blocks, grid.threads, args, grid.shared)
