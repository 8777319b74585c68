"""Weighted sums of values: weights ``(pairs, heads)``, v ``(n, heads·d)`` -> ``(n, heads·d)``."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.attention import split_heads
from gpudb.kernels.launch import Device, cuda, thread_grid
from gpudb.kernels.sequences import equal_length_runs, pair_starts, with_pair_starts


def reference(weights: Any, v: Any, offsets: Any) -> Any:
    """Join pairs with their key row's value, sum by query row."""
    starts = pair_starts(offsets)
    heads = weights.shape[1]
    out = np.zeros_like(v, subok=False)
    for run in equal_length_runs(offsets):
        pairs = weights[starts[run.first] : starts[run.first + run.count]]
        by_head = pairs.reshape(run.count, run.length, run.length, heads).transpose(0, 3, 1, 2)
        context = by_head @ split_heads(v, run, heads)
        out[run.rows] = context.transpose(0, 2, 1, 3).reshape(-1, v.shape[1])
    return out


def shape(weights: Any, v: Any, offsets: Any) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(v.shape)


def launch(device: Device, weights: Any, v: Any, offsets: Any) -> Any:
    """A thread to an element."""
    weights, v = device.contiguous(weights), device.contiguous(v)
    out = device.empty(v.shape, v.dtype)
    offsets, starts, sequences = with_pair_starts(device, offsets)
    rows, heads = v.shape[0], weights.shape[1]
    width = v.shape[1] // heads
    args = (weights, v, offsets, starts, out, sequences, rows, heads, width)
    grid = thread_grid(device, prod(v.shape))
    device.launch(cuda("attention_context", T=v.dtype), *grid, args)
    return out


attention_context = Kernel("attention_context", reference, shape, launch=launch)
