"""Softmax of scores over the keys of each (query row, head): ``(pairs, heads)`` -> the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.attention import softmax_rows
from gpudb.kernels.sequences import equal_length_runs, pair_starts


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


pair_softmax = Kernel("pair_softmax", reference, shape)
