"""Runs of equally long sequences in cumulative offsets: the unit NumPy can work on at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpudb.kernels.launch import Device, cuda, thread_grid


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring sequences of one length; their rows follow each other from ``start``."""

    first: int
    """Number of the first sequence."""
    count: int
    """Sequences in the run."""
    length: int
    """Rows of each sequence, at least 1."""
    start: int
    """First row of the first sequence."""

    @property
    def rows(self) -> slice:
        """Their rows."""
        return slice(self.start, self.start + self.count * self.length)

    @property
    def sequences(self) -> slice:
        """Their numbers."""
        return slice(self.first, self.first + self.count)


def equal_length_runs(offsets: Any) -> Iterator[Run]:
    """Maximal runs, in order; sequences without rows are left out.

    Sorting the sequences by length before a batch is made turns most of it into few runs, but
    any order is right.
    """
    lengths = np.diff(offsets)
    if not lengths.size:
        return
    firsts = np.concatenate(([0], np.flatnonzero(np.diff(lengths)) + 1, [lengths.size]))
    for first, last in zip(firsts[:-1].tolist(), firsts[1:].tolist(), strict=True):
        if length := int(lengths[first]):
            yield Run(first, last - first, length, int(offsets[first]))


def pair_starts(offsets: Any) -> Any:
    """First pair of each sequence, and the number of pairs at the end: ``(sequences + 1,)``."""
    lengths = np.diff(offsets).astype(np.int64)
    return np.concatenate(([0], np.cumsum(lengths * lengths)))


def with_pair_starts(device: Device, offsets: Any) -> tuple[Any, Any, int]:
    """Offsets and :func:`pair_starts` as int64 on the device, and how many sequences there are.

    Nothing is read back: the host would wait for the device.
    """
    offsets = device.rows(offsets)
    starts, sequences = device.empty(offsets.shape, offsets.dtype), offsets.shape[0] - 1
    args = (offsets, starts, sequences)
    device.launch(cuda("pair_starts"), *thread_grid(device, sequences + 1), args)
    return offsets, starts, sequences
