"""Scaled dot products of all pairs in a sequence: ``(n, heads·d)`` twice -> ``(pairs, heads)``.

Pairs are in order of (sequence, query row, key row).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.attention import split_heads
from gpudb.kernels.launch import Device, cuda, thread_grid
from gpudb.kernels.sequences import equal_length_runs, pair_starts


def reference(q: Any, k: Any, offsets: Any, heads: int, scale: float) -> Any:
    """All pairs are stored: the relational reading, not the fast one."""
    starts = pair_starts(offsets)
    out = np.empty((int(starts[-1]), heads), q.dtype)
    for run in equal_length_runs(offsets):
        scores = split_heads(q, run, heads) @ split_heads(k, run, heads).swapaxes(-1, -2)
        scores *= scale
        first, stop = starts[run.first], starts[run.first + run.count]
        out[first:stop] = scores.transpose(0, 2, 3, 1).reshape(-1, heads)
    return out


def shape(q: Any, k: Any, offsets: Any, heads: int, scale: float) -> tuple[int, ...]:
    """Shape of the result."""
    return (int(pair_starts(offsets)[-1]), heads)


def launch(device: Device, q: Any, k: Any, offsets: Any, heads: int, scale: float) -> Any:
    """A thread to a pair and head; the offsets are read back, because they say how many pairs."""
    q, k = device.contiguous(q), device.contiguous(k)
    on_host = device.read(offsets)
    starts = pair_starts(on_host)
    out = device.empty((int(starts[-1]), heads), q.dtype)
    args = (
        *(q, k, device.rows(on_host), device.rows(starts), out, len(starts) - 1),
        *(len(out), heads, q.shape[1] // heads, scale),
    )
    grid = thread_grid(device, len(out) * heads)
    device.launch(cuda("attention_scores", T=q.dtype), *grid, args)
    return out


attention_scores = Kernel("attention_scores", reference, shape, launch=launch)
