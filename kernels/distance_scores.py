"""Scaled dot products of rows with the row of a table that belongs to a distance.

x ``(n, heads·d)``, table ``(r, heads·d)``, rows ``(2m - 1,)`` -> ``(pairs, heads)``: of query i and
key j of a sequence, the product of ``x[i]``, or of ``x[j]`` where ``by_key``, with the row of the
table that ``rows`` names for the distance j - i. Column m - 1 is for distance 0, the first and the
last are for all longer distances as well. Pairs are in order of (sequence, query row, key row), as
in :mod:`gpudb.kernels.attention_scores`.

He et al., "DeBERTa: Decoding-enhanced BERT with Disentangled Attention", 2020, section 3.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.attention import along_distances, split_heads
from gpudb.kernels.launch import Device, cuda, thread_grid
from gpudb.kernels.sequences import equal_length_runs, pair_starts, with_pair_starts


def reference(
    x: Any,
    table: Any,
    rows: Any,
    offsets: Any,
    pairs: int,
    heads: int,
    scale: float,
    by_key: bool,
) -> Any:
    """Every row with every row of the table that is near enough; then each pair takes its own."""
    starts = pair_starts(offsets)
    out = np.empty((pairs, heads), x.dtype)
    for run in equal_length_runs(offsets):
        used, places = np.unique(along_distances(rows[None], run.length)[0], return_inverse=True)
        parts = table[used].reshape(len(used), heads, -1).transpose(1, 2, 0)
        products = split_heads(x, run, heads) @ parts
        products *= scale
        first, stop = starts[run.first], starts[run.first + run.count]
        to = out[first:stop].reshape(run.count, run.length, run.length, heads)
        if by_key:
            to = to.swapaxes(1, 2)
        for i in range(run.length):
            # Distances of a query rise from key to key, those of a key fall from query to query.
            start = i if by_key else run.length - 1 - i
            near = places[start : start + run.length]
            taken = np.take(products[:, :, i], near[::-1] if by_key else near, axis=-1)
            to[:, i] = taken.transpose(0, 2, 1)
    return out


def shape(
    x: Any,
    table: Any,
    rows: Any,
    offsets: Any,
    pairs: int,
    heads: int,
    scale: float,
    by_key: bool,
) -> tuple[int, ...]:
    """Shape of the result."""
    return (pairs, heads)


def launch(
    device: Device,
    x: Any,
    table: Any,
    rows: Any,
    offsets: Any,
    pairs: int,
    heads: int,
    scale: float,
    by_key: bool,
) -> Any:
    """A thread to a pair and head."""
    x, table, rows = device.contiguous(x), device.contiguous(table), device.rows(rows)
    out = device.empty((pairs, heads), x.dtype)
    offsets, starts, sequences = with_pair_starts(device, offsets)
    width, reach = x.shape[1] // heads, rows.shape[0] // 2
    args = (x, table, rows, offsets, starts, out)
    sizes = (sequences, pairs, heads, width, scale, reach, by_key)
    grid = thread_grid(device, pairs * heads)
    device.launch(cuda("distance_scores", T=x.dtype), *grid, (*args, *sizes))
    return out


distance_scores = Kernel("distance_scores", reference, shape, launch=launch)
