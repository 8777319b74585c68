"""Merge (count, mean, sum of squared differences) of the parts of each line.

``states`` ``(m, 2, *rest)``, ``counts`` ``(m,)``, ``starts`` ``(g,)`` -> ``(g, 2, *rest)``. The
formula is that of Chan, Golub and LeVeque ("Algorithms for computing the sample variance", 1983;
for one element Welford's, 1962), for any number of parts at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import Device, cuda, size, thread_grid


def reference(states: Any, counts: Any, starts: Any) -> Any:
    """Squared differences within the parts, and those between their means."""
    if not len(starts):
        return states[:0]
    weights = counts.reshape(-1, *(1,) * (states.ndim - 2)).astype(np.float64)
    totals = np.add.reduceat(weights, starts, axis=0)
    mean = np.add.reduceat(states[:, 0] * weights, starts, axis=0) / totals
    off = states[:, 0] - np.repeat(mean, np.diff(starts, append=len(states)), axis=0)
    off *= off
    off *= weights
    off += states[:, 1]
    return np.stack([mean, np.add.reduceat(off, starts, axis=0)], axis=1)


def shape(states: Any, counts: Any, starts: Any) -> tuple[int, ...]:
    """Shape of the result."""
    return (len(starts), *states.shape[1:])


def dtype(states: Any, counts: Any, starts: Any) -> str:
    """As the states."""
    return "float64"


def launch(device: Device, states: Any, counts: Any, starts: Any) -> Any:
    """A thread for each line: it walks through the line's parts."""
    states = device.contiguous(states)
    out = device.empty(shape(states, counts, starts), states.dtype)
    groups, parts, rest = len(starts), states.shape[0], size(states.shape[2:])
    blocks, threads = thread_grid(device, groups * rest)
    args = (states, device.rows(counts), device.rows(starts), out, groups, parts, rest)
    device.launch(cuda("merge_moments"), blocks, threads, args)
    return out


merge_moments = Kernel("merge_moments", reference, shape, dtype, launch=launch)
