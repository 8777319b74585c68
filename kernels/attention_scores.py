"""Scaled dot products of all pairs in a sequence: ``(n, heads·d)`` twice -> ``(pairs, heads)``.

Pairs are in order of (sequence, query row, key row). Who calls says how many there are, the sum of
squared lengths: the offsets are on the device. ``relative`` is that of
:mod:`gpudb.kernels.attention`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.attention import (
    by_distance,
    compiled_by_distance,
    split_heads,
    table_steps,
)
from gpudb.kernels.launch import Device, cuda, thread_grid
from gpudb.kernels.sequences import equal_length_runs, pair_starts, with_pair_starts


def reference(
    q: Any, k: Any, offsets: Any, pairs: int, heads: int, scale: float, relative: Any = None
) -> Any:
    """All pairs are stored: the relational reading, not the fast one."""
    starts = pair_starts(offsets)
    out = np.empty((pairs, heads), q.dtype)
    for run in equal_length_runs(offsets):
        scores = split_heads(q, run, heads) @ split_heads(k, run, heads).swapaxes(-1, -2)
        scores *= scale
        if relative is not None:
            scores += by_distance(relative, run.length)
        first, stop = starts[run.first], starts[run.first + run.count]
        out[first:stop] = scores.transpose(0, 2, 3, 1).reshape(-1, heads)
    return out


def shape(
    q: Any, k: Any, offsets: Any, pairs: int, heads: int, scale: float, relative: Any = None
) -> tuple[int, ...]:
    """Shape of the result."""
    return (pairs, heads)


def launch(
    device: Device,
    q: Any,
    k: Any,
    offsets: Any,
    pairs: int,
    heads: int,
    scale: float,
    relative: Any = None,
) -> Any:
    """A thread to a pair and head."""
    q, k = device.contiguous(q), device.contiguous(k)
    out = device.empty((pairs, heads), q.dtype)
    offsets, starts, sequences = with_pair_starts(device, offsets)
    width = q.shape[1] // heads
    table = device.empty((0, 1), q.dtype) if relative is None else device.contiguous(relative)
    sizes = (sequences, pairs, heads, width, scale, *table_steps(relative))
    args = (q, k, offsets, starts, table, out, *sizes)
    grid = thread_grid(device, pairs * heads)
    function = cuda("attention_scores", T=q.dtype, **compiled_by_distance(relative))
    device.launch(function, *grid, args)
    return out


attention_scores = Kernel("attention_scores", reference, shape, launch=launch)
