"""Attention within sequences: q, k, v ``(n, heads·d)``, offsets ``(s + 1,)`` -> ``(n, heads·d)``.

Each row of a sequence attends to the rows of the same sequence only; there is no padding and so no
mask. q, k and v may be column slices of one array.

``relative`` ``(heads or 1, 2m - 1)`` is added to scaled scores: that of query i with key j gets the
number at distance j - i. Column m - 1 is for distance 0, the first and the last are for all longer
distances as well, so that a window is zeros between infinities.
"""

from __future__ import annotations

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
    relative: Any = None,
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
            q_part, k_part, v_part = by_head
            q_part *= scale
            scores = q_part @ k_part.swapaxes(-1, -2)
            if relative is not None:
                scores += by_distance(relative, run.length)
            if causal or key_mask is not None:
                _weigh_some(scores, v_part, _left_out(part, causal, key_mask))
            else:
                softmax_rows(scores)
            out[part.rows] = _beside(scores @ v_part)
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
    relative: Any = None,
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
    relative: Any = None,
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
        device.empty((0, 1), v.dtype) if relative is None else device.contiguous(relative),
        out,
        *(x.strides[0] // x.dtype.itemsize for x in operands),
        *(n, sequences, heads, width, scale, tile_shift),
        *table_steps(relative),
        *(causal, key_mask is not None, bias is not None),
    )
    defines = {"T": v.dtype, "I": offsets.dtype, "ROWS": plan.rows, "CHUNKS": ceil_div(width, WARP)}
    function = cuda("attention", **defines, **compiled_by_distance(relative))
    device.launch(function, blocks, plan.warps * WARP, args, plan.shared)
    return out


def split_heads(x: Any, run: Run, heads: int) -> Any:
    """Rows of a run as ``(sequences, heads, rows, d)``: a contiguous copy."""
    parts = x[run.rows].reshape(run.count, run.length, heads, -1)
    return parts.transpose(0, 2, 1, 3).copy()


def along_distances(relative: Any, length: int) -> Any:
    """``(heads or 1, 2m - 1)`` -> ``(heads or 1, 2·length - 1)``: a number for each distance."""
    most = relative.shape[1] // 2
    distances = np.arange(1 - length, length)
    return relative[:, np.clip(distances, -most, most) + most]


def by_distance(relative: Any, length: int) -> Any:
    """``(heads or 1, 2m - 1)`` -> ``(heads or 1, length, length)``, by query and key; a view."""
    line = along_distances(relative, length)
    return np.lib.stride_tricks.sliding_window_view(line, length, axis=1)[:, ::-1]


def softmax_rows(scores: Any) -> None:
    """Overwrite the last axis with its softmax; the maximum is taken off so that exp is ≤ 1."""
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)


def _weigh_some(scores: Any, v: Any, left_out: Any) -> None:
    """Overwrite scores with weights, 0 for pairs that are left out, and values of no query with 0.

    A row without keys divides 0 by 0 on the way: its weights are set to 0 afterwards.
    """
    np.copyto(scores, -np.inf, where=left_out)
    with np.errstate(invalid="ignore"):
        softmax_rows(scores)
    np.copyto(scores, 0, where=left_out)
    for_none = left_out.all(axis=-2, keepdims=True).swapaxes(-1, -2)
    np.copyto(v, 0, where=for_none)


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


def table_steps(relative: Any) -> tuple[int, int]:
    """Elements from head to head of what is added by distance, and the longest distance in it."""
    if relative is None:
        return 0, 0
    rows, columns = relative.shape
    return columns if rows > 1 else 0, columns // 2


def compiled_by_distance(relative: Any) -> dict[str, Any]:
    """What a function is compiled with that adds numbers by distance."""
    return {} if relative is None else {"BY_DISTANCE": 1}


def _with_rows(device: Device, x: Any) -> Any:
    """The array itself where elements of a row are neighbours, else a copy."""
    return x if x.strides[1] == x.dtype.itemsize else device.contiguous(x)


attention = Kernel("attention", reference, shape, launch=launch)
