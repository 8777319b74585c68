"""Softmax of scores over the keys of each (query row, head): ``(pairs, heads)`` -> the same."""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.attention import softmax_rows
from gpudb.kernels.launch import Device, cuda, grid_for
from gpudb.kernels.sequences import equal_length_runs, pair_starts, with_pair_starts

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
    """A block to a query row, for as many as there can be at most."""
    scores = device.contiguous(scores)
    out = device.empty(scores.shape, scores.dtype)
    offsets, starts, sequences = with_pair_starts(device, offsets)
    pairs, heads = scores.shape
    args = (scores, offsets, starts, out, sequences, heads)
    # By Cauchy and Schwarz, and as many as there are where sequences are equally long.
    most_rows = isqrt(sequences * pairs)
    blocks = grid_for(most_rows, 1) if heads else 0
    threads = device.block_size(THREADS)
    device.launch(cuda("pair_softmax", T=scores.dtype), blocks, threads, args)
    return out


pair_softmax = Kernel("pair_softmax", reference, shape, launch=launch)
