"""Attention within sequences: q, k, v ``(n, heads·d)``, offsets ``(s + 1,)`` -> ``(n, heads·d)``.

Each row of a sequence attends to the rows of the same sequence only; there is no padding and so no
mask. q, k and v may be column slices of one array. A bias ``(3·heads·d,)`` holds those of q, k and
v, one after the other, which are added first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.sequences import Run, equal_length_runs

SCORES_NBYTES = 1 << 20
"""Scores of so many bytes are alive at a time: they fit in cache together with their inputs."""


def reference(
    q: Any, k: Any, v: Any, offsets: Any, heads: int, scale: float, bias: Any = None
) -> Any:
    """Exact softmax over whole rows, a few equally long sequences at a time."""
    out = np.zeros_like(v, subok=False)
    biases = (None,) * 3 if bias is None else bias.reshape(3, heads, 1, -1)
    for run in equal_length_runs(offsets):
        scores_nbytes = heads * run.length * run.length * v.itemsize
        step = max(1, SCORES_NBYTES // scores_nbytes)
        for first in range(0, run.count, step):
            count = min(step, run.count - first)
            part = Run(run.first + first, count, run.length, run.start + first * run.length)
            inputs = zip((q, k, v), biases, strict=True)
            by_head = (_add(split_heads(x, part, heads), third) for x, third in inputs)
            out[part.rows] = _attend(scale, *by_head)
    return out


def shape(
    q: Any, k: Any, v: Any, offsets: Any, heads: int, scale: float, bias: Any = None
) -> tuple[int, ...]:
    """Shape of the result."""
    return tuple(v.shape)


def split_heads(x: Any, run: Run, heads: int) -> Any:
    """Rows of a run as ``(sequences, heads, rows, d)``: a contiguous copy."""
    parts = x[run.rows].reshape(run.count, run.length, heads, -1)
    return parts.transpose(0, 2, 1, 3).copy()


def softmax_rows(scores: Any) -> None:
    """Overwrite the last axis with its softmax; the maximum is taken off so that exp is ≤ 1."""
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)


def _add(x: Any, bias: Any) -> Any:
    """Add to a copy that is still in cache; ``bias`` may be None."""
    if bias is not None:
        x += bias
    return x


def _attend(scale: float, q: Any, k: Any, v: Any) -> Any:
    q *= scale
    scores = q @ k.swapaxes(-1, -2)
    softmax_rows(scores)
    context = scores @ v
    return context.transpose(0, 2, 1, 3).reshape(-1, v.shape[1] * v.shape[3])


attention = Kernel("attention", reference, shape)
