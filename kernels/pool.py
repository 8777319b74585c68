"""One row per sequence: ``(n, w)``, offsets ``(s + 1,)`` -> ``(s, w)``; optionally normalised.

``mean`` and ``max`` go over all rows of the sequence, ``cls`` takes the first, ``last`` the last.
``root_mean`` divides the sum by the root of how many rows there are; in ``rising_mean`` the n-th
row counts n times. A sequence without rows gives zeros. With ``eps`` each row is divided by its
Euclidean norm, or by ``eps`` if that is larger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpudb.kernels import Kernel
from gpudb.kernels.launch import (
    MAX_SHARED_NBYTES,
    MOST_HOLDING,
    SCRATCH_NBYTES,
    Device,
    accumulator_nbytes,
    ceil_div,
    cuda,
    grid_for,
    held_in_registers,
    row_numbers,
    row_threads,
)
from gpudb.kernels.reduce_axis import norm
from gpudb.kernels.sequences import equal_length_runs

FUNCTIONS = {"max": "Largest", "root_mean": "RootMean", "rising_mean": "RisingMean"}
"""Kind -> what reduces rows in ``pool.cu``; ``Mean`` for the others."""

MAX_ROWS = 2**63 - 1
"""Of a sequence that are taken: all."""


def _root_mean(rows: Any, out: Any) -> None:
    np.sum(rows, axis=1, out=out)
    out /= rows.dtype.type(np.sqrt(rows.shape[1]))


def _rising_mean(rows: Any, out: Any) -> None:
    weights = np.arange(1, rows.shape[1] + 1, dtype=rows.dtype)
    np.einsum("srw,r->sw", rows, weights, out=out)
    out /= weights.dtype.type(len(weights) * (len(weights) + 1) / 2)


def _row(number: int) -> Callable[[Any, Any], None]:
    def take(rows: Any, out: Any) -> None:
        out[...] = rows[:, number]

    return take


REDUCED: Mapping[str, Callable[[Any, Any], object]] = {
    "mean": lambda rows, out: np.mean(rows, axis=1, out=out),
    "max": lambda rows, out: np.max(rows, axis=1, out=out),
    "cls": _row(0),
    "last": _row(-1),
    "root_mean": _root_mean,
    "rising_mean": _rising_mean,
}
"""Kind -> what writes ``(sequences, width)`` from rows ``(sequences, length, width)``."""


def reference(x: Any, offsets: Any, kind: str, eps: float | None) -> Any:
    """Reduce each run of equally long sequences along its rows."""
    out = np.zeros(shape(x, offsets, kind, eps), x.dtype)
    for run in equal_length_runs(offsets):
        rows = x[run.rows].reshape(run.count, run.length, -1)
        REDUCED[kind](rows, out[run.sequences])
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
    most = 1 if kind in ("cls", "last") else MAX_ROWS
    held = {"HELD": 0} if cut.cached or eps is None else held_in_registers(x.dtype.itemsize)
    defines = {"I": offsets.dtype, "FN": FUNCTIONS.get(kind, "Mean")}
    function = cuda("pool", T=x.dtype, **defines, **held)
    sizes = (sequences, width, most, kind == "last", eps is not None, eps or 0.0)
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
    """Bytes of it."""
    cached: bool
    """Whether there is room for whole rows, so that results of groups meet there."""


def _cut(device: Device, width: int, itemsize: int) -> _Cut:
    """About 512 threads, as many groups as there is shared memory for."""
    is_packed = width * itemsize % 16 == 0
    # One by one, a group takes all columns at once: those of two walks would share sectors.
    across = row_threads(width, itemsize if is_packed else 16)
    threads = device.block_size(across * max(1, 512 // across))
    threads = min(threads, MOST_HOLDING)
    across = min(across, threads)
    pitch = 8 * ceil_div(width, 8)  # 16 bytes at a time
    row_nbytes = max(1, pitch) * accumulator_nbytes(itemsize)
    room = MAX_SHARED_NBYTES - SCRATCH_NBYTES
    if row_nbytes > room:
        kept = room // accumulator_nbytes(itemsize)
        return _Cut(threads, across, 1, kept, room, False)
    groups = min(threads // across, room // row_nbytes)
    return _Cut(threads, across, groups, pitch, groups * row_nbytes, True)


pool = Kernel("pool", reference, shape, launch=launch)
