"""Merge (maximum, sum of exp) of the parts of each row: ``(m, 2, *rows)`` -> ``(g, 2, *rows)``.

Row ``i`` holds the parts from ``starts[i]`` up to the next start (Milakov and Gimelshein, 2018).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, size, thread_grid


def reference(states: Any, starts: Any) -> Any:
    """Each sum is brought down to the common maximum; rows of -inf only become NaN here."""
    if not len(starts):
        return states[:0]
    largest = np.maximum.reduceat(states[:, 0], starts, axis=0)
    down = states[:, 0] - np.repeat(largest, np.diff(starts, append=len(states)), axis=0)
    np.exp(down, out=down)
    down *= states[:, 1]
    return np.stack([largest, np.add.reduceat(down, starts, axis=0)], axis=1)


def shape(states: Any, starts: Any) -> tuple[int, ...]:
    """Shape of the result."""
    return (len(starts), *states.shape[1:])


def launch(device: Device, states: Any, starts: Any) -> Any:
    """A thread for each row: it walks through the row's parts."""
    states = device.contiguous(states)
    out = device.empty(shape(states, starts), states.dtype)
    groups, parts, rows = len(starts), states.shape[0], size(states.shape[2:])
    blocks, threads = thread_grid(device, groups * rows)
    args = (states, device.rows(starts), out, groups, parts, rows)
    device.launch(cuda("merge_softmax", T=states.dtype), blocks, threads, args)
    return out


merge_softmax = Kernel("merge_softmax", reference, shape, launch=launch)
