"""Softmax of scores over the keys of each (query row, head): ``(pairs, heads)`` -> the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.attention import softmax_rows
from gpudb.kernels.launch import Device, cuda, grid_for
from gpudb.kernels.sequences import equal_length_runs, pair_starts

THREADS = 128
"""Of a block: what they go through twice stays in cache for rows of a few kilobytes."""


def reference(scores: Any, offsets: Any) -> Any:
    """Group by query row: max, sum of exp; join back and divide."""
    starts = pair_starts(offsets)
    heads = scores.shape[1]
    out = np.empty_like(scores)
    for run in equal_length_runs(offsets):
        pairs = slice(starts[run.first], starts[run.first + run.count])
        groups = scores[pairs].reshape(-1, run.length, heads).swapaxes(1, 2).copy()
        softmax_rows(groups)
        out[pairs] = groups.swapaxes(1, 2).reshape(-1, heads)
    return out


def shape(scores: Any, offsets: Any) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(scores.shape)


def launch(device: Device, scores: Any, offsets: Any) -> Any:
    """A block to a query row; the offsets are read back for the pairs of each row."""
    scores, on_host = device.contiguous(scores), device.read(offsets)
    out = device.empty(scores.shape, scores.dtype)
    heads, rows = scores.shape[1], int(on_host[-1])
    tables = (device.rows(on_host), device.rows(pair_starts(on_host)))
    args = (scores, *tables, out, len(on_host) - 1, rows, heads)
    blocks = grid_for(rows, 1) if heads else 0
    threads = device.block_size(THREADS)
    device.launch(cuda("pair_softmax", T=scores.dtype), blocks, threads, args)
    return out


pair_softmax = Kernel("pair_softmax", reference, shape, launch=launch)
