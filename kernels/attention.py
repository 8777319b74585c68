"""Attention within sequences: q, k, v ``(n, heads·d)``, offsets ``(s + 1,)`` -> ``(n, heads·d)``.

Each row of a sequence attends to the rows of the same sequence only; there is no padding and so no
mask. q, k and v may be column slices of one array.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpudb.errors import DeviceError
from gpudb.kernels import Kernel
from gpudb.kernels.launch import (
    MAX_SHARED_NBYTES,
    WARP,
    Device,
    ceil_div,
    cuda,
    grid_for,
    row_numbers,
)
from gpudb.kernels.sequences import Run, equal_length_runs

SCORES_NBYTES = 1 << 20
"""Scores of so many bytes are alive at a time: they fit in cache together with their inputs."""

KEYS = 32
"""Keys that a block of threads has in shared memory at a time, as ``attention.cu`` says."""

MAX_WARPS = 8
"""Warps of a block: registers are given out for so many."""

MAX_CHUNKS = 8
"""Columns of a lane."""


def reference(
    q: Any,
    k: Any,
    v: Any,
    offsets: Any,
    heads: int,
    scale: float,
    causal: bool = False,
    key_mask: Any = None,
    bias: Any = None,
) -> Any:
    """Exact softmax over whole rows, a few equally long sequences at a time."""
    out = np.zeros_like(v, subok=False)
    for run in equal_length_runs(offsets):
        scores_nbytes = heads * run.length * run.length * v.itemsize
        step = max(1, SCORES_NBYTES // scores_nbytes)
        for first in range(0, run.count, step):
            count = min(step, run.count - first)
            part = Run(run.first + first, count, run.length, run.start + first * run.length)
            by_head = [split_heads(x, part, heads) for x in (q, k, v)]
            if bias is not None:
                for x, added in zip(by_head, bias.reshape(3, heads, 1, -1), strict=True):
                    x += added
            if causal or key_mask is not None:
                out[part.rows] = _attend_some(scale, by_head, _left_out(part, causal, key_mask))
            else:
                out[part.rows] = _attend(scale, *by_head)
    return out


def shape(
    q: Any,
    k: Any,
    v: Any,
    offsets: Any,
    heads: int,
    scale: float,
    causal: bool = False,
    key_mask: Any = None,
    bias: Any = None,
) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(v.shape)


def launch(
    device: Device,
    q: Any,
    k: Any,
    v: Any,
    offsets: Any,
    heads: int,
    scale: float,
    causal: bool = False,
    key_mask: Any = None,
    bias: Any = None,
) -> Any:
    """A block per head and tile of queries, for as many tiles as there can be at most."""
    out = device.empty(v.shape, v.dtype)
    n, width = v.shape[0], v.shape[1] // max(1, heads)
    if not n or not width:
        return out
    offsets = row_numbers(device, offsets)
    sequences = offsets.shape[0] - 1
    plan = _plan(device, width, v.dtype.itemsize)
    tile_shift = (plan.warps * plan.rows).bit_length() - 1
    blocks = grid_for(((n >> tile_shift) + sequences + 1) * heads, 1)
    operands = [_with_rows(device, x) for x in (q, k, v)]
    args = (
        *operands,
        device.empty((0,), v.dtype) if bias is None else device.contiguous(bias),
        offsets,
        device.empty((0,), "bool") if key_mask is None else device.contiguous(key_mask),
        out,
        *(x.strides[0] // x.dtype.itemsize for x in operands),
        *(n, sequences, heads, width, scale, tile_shift),
        *(causal, key_mask is not None, bias is not None),
    )
    function = cuda(
        "attention", T=v.dtype, I=offsets.dtype, ROWS=plan.rows, CHUNKS=ceil_div(width, WARP)
    )
    device.launch(function, blocks, plan.warps * WARP, args, plan.shared)
    return out


def split_heads(x: Any, run: Run, heads: int) -> Any:
    """Rows of a run as ``(sequences, heads, rows, d)``: a contiguous copy."""
    parts = x[run.rows].reshape(run.count, run.length, heads, -1)
    return parts.transpose(0, 2, 1, 3).copy()


def softmax_rows(scores: Any) -> None:
    """Overwrite the last axis with its softmax; the maximum is taken off so that exp is ≤ 1."""
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)


def _attend(scale: float, q: Any, k: Any, v: Any) -> Any:
    q *= scale
    scores = q @ k.swapaxes(-1, -2)
    softmax_rows(scores)
    return _beside(scores @ v)


def _attend_some(scale: float, by_head: Sequence[Any], left_out: Any) -> Any:
    """A row without keys divides 0 by 0 on the way: its weights are set to 0 afterwards."""
    q, k, v = by_head
    q *= scale
    scores = q @ k.swapaxes(-1, -2)
    np.copyto(scores, -np.inf, where=left_out)
    with np.errstate(invalid="ignore"):
        softmax_rows(scores)
    np.copyto(scores, 0, where=left_out)
    for_none = left_out.all(axis=-2, keepdims=True).swapaxes(-1, -2)
    np.copyto(v, 0, where=for_none)
    return _beside(scores @ v)


def _left_out(run: Run, causal: bool, key_mask: Any) -> Any:
    """Pairs of a query and a key that do not meet: ``(sequences or 1, 1, rows, rows)``."""
    length = run.length
    out = np.zeros((1, 1, length, length), bool)
    if causal:
        out = out | np.triu(np.ones((length, length), bool), 1)
    if key_mask is not None:
        out = out | ~key_mask[run.rows].reshape(run.count, 1, 1, length)
    return out


def _beside(context: Any) -> Any:
    """``(sequences, heads, rows, d)`` -> ``(sequences·rows, heads·d)``."""
    count, heads, length, d = context.shape
    return context.transpose(0, 2, 1, 3).reshape(count * length, heads * d)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a block is cut: warps, queries of each, and bytes of shared memory."""

    warps: int
    rows: int
    shared: int


def _plan(device: Device, width: int, itemsize: int) -> _Plan:
    """As many queries to a warp as registers allow, and warps as shared memory allows."""
    itemsize = max(4, itemsize)
    chunks = ceil_div(width, WARP)
    rows = 8 if itemsize == 4 and chunks <= 4 else 4
    step = 16 // itemsize
    packs = ceil_div(width, step)
    tile = KEYS * (packs | 1) * 16
    warp = rows * (packs * 16 + KEYS * itemsize)
    most = min(MAX_WARPS, (MAX_SHARED_NBYTES - tile) // warp)
    if chunks > MAX_CHUNKS or most < 1:
        raise DeviceError(f"attention on a GPU takes heads of up to 256 elements, got {width}")
    warps = min(most, device.block_size(4 * WARP) // WARP)
    warps = 1 << (warps.bit_length() - 1)
    return _Plan(warps, rows, tile + warps * warp)


def _with_rows(device: Device, x: Any) -> Any:
    """The array itself where elements of a row are neighbours, else a copy."""
    return x if x.strides[1] == x.dtype.itemsize else device.contiguous(x)


attention = Kernel("attention", reference, shape, launch=launch)
