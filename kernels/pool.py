"""One row per sequence: ``(n, w)``, offsets ``(s + 1,)`` -> ``(s, w)``; optionally normalised.

``mean`` and ``max`` go over all rows of the sequence, ``cls`` takes the first. A sequence without
rows gives zeros. With ``eps`` each row is divided by its Euclidean norm, or by ``eps`` if that is
larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import (
    MAX_SHARED_NBYTES,
    SCRATCH_NBYTES,
    Device,
    accumulator_nbytes,
    ceil_div,
    cuda,
    grid_for,
    row_numbers,
    row_threads,
)
from gpudb.kernels.reduce_axis import norm
from gpudb.kernels.sequences import equal_length_runs

MAX_ROWS = 2**63 - 1
"""Of a sequence that are taken: all."""


def reference(x: Any, offsets: Any, kind: str, eps: float | None) -> Any:
    """Reduce each run of equally long sequences along its rows."""
    out = np.zeros(shape(x, offsets, kind, eps), x.dtype)
    for run in equal_length_runs(offsets):
        rows = x[run.rows].reshape(run.count, run.length, -1)
        target = out[run.sequences]
        if kind == "mean":
            np.mean(rows, axis=1, out=target)
        elif kind == "max":
            np.max(rows, axis=1, out=target)
        else:
            target[...] = rows[:, 0]
    return out if eps is None else normalize(out, eps)


def normalize(x: Any, eps: float) -> Any:
    """Rows of ``x`` divided by their Euclidean norm, at least ``eps``."""
    norms = np.sqrt(np.einsum("ij,ij->i", x, x))
    if not np.isfinite(norms).all():  # a square may have overflowed where the norm does not
        norms = norm(x, 1).astype(x.dtype)
    return x / np.maximum(norms, eps)[:, None]


def shape(x: Any, offsets: Any, kind: str, eps: float | None) -> tuple[int, ...]:
    """Shape of the result."""
    return (offsets.shape[0] - 1, x.shape[1])


def launch(device: Device, x: Any, offsets: Any, kind: str, eps: float | None) -> Any:
    """One block per sequence."""
    x, offsets = device.contiguous(x), row_numbers(device, offsets)
    out = device.empty(shape(x, offsets, kind, eps), x.dtype)
    sequences, width = out.shape
    cut = _cut(device, width, x.dtype.itemsize)
    most = 1 if kind == "cls" else MAX_ROWS
    function = cuda("pool", T=x.dtype, I=offsets.dtype, FN="Largest" if kind == "max" else "Mean")
    sizes = (sequences, width, most, eps is not None, eps or 0.0)
    args = (x, offsets, out, *sizes, cut.across, cut.groups, cut.pitch, cut.cached)
    blocks = grid_for(sequences, 1) if width else 0
    device.launch(function, blocks, cut.threads, args, cut.shared)
    return out


@dataclass(frozen=True, slots=True)
class _Cut:
    """How a block is cut into groups of threads, which take every so many-th row each."""

    threads: int
    across: int
    """Threads of a group."""
    groups: int
    pitch: int
    """Accumulators of a group in shared memory."""
    shared: int
    """Bytes of it; 0 where one row is too much."""

    @property
    def cached(self) -> bool:
        """Whether results meet in shared memory."""
        return self.shared > 0


def _cut(device: Device, width: int, itemsize: int) -> _Cut:
    """About 512 threads, as many groups as there is shared memory for."""
    is_packed = width * itemsize % 16 == 0
    # One by one, a group takes all columns at once: those of two walks would share sectors.
    across = row_threads(width, itemsize if is_packed else 16)
    threads = device.block_size(across * max(1, 512 // across))
    across = min(across, threads)
    pitch = 8 * ceil_div(width, 8)  # 16 bytes at a time
    row_nbytes = max(1, pitch) * accumulator_nbytes(itemsize)
    fit = (MAX_SHARED_NBYTES - SCRATCH_NBYTES) // row_nbytes
    groups = max(1, min(threads // across, fit))
    return _Cut(threads, across, groups, pitch, min(groups, fit) * row_nbytes)


pool = Kernel("pool", reference, shape, launch=launch)
