"""Cut a column of sequences into batches by a budget of rows, without padding any."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gpudb.types import HostArray, Sizes


@dataclass(frozen=True, slots=True)
class Batch:
    """Some of the sequences, packed: their rows one after the other."""

    sequences: HostArray
    """``(s,)`` numbers of the sequences in the column they come from."""
    offsets: HostArray
    """``(s + 1,)`` int32: sequence i has the rows ``offsets[i]:offsets[i + 1]``."""
    rows: HostArray
    """``(t,)`` where each packed row lies in the column's leaf."""
    positions: HostArray
    """``(t,)`` int32: each row's place in its sequence, from 0."""
    sizes: Sizes
    """The numbers behind the plan's named extents."""
    span: slice | None = None
    """The same as ``rows``, where they lie side by side in the leaf."""

    @property
    def places(self) -> HostArray | slice:
        """To index the leaf with: a slice if possible, which copies nothing."""
        return self.rows if self.span is None else self.span

    def after(self, sequences: int, rows: int) -> Batch:
        """As numbered in a column that begins with so many sequences and rows more."""
        if not sequences:
            return self
        span = self.span and slice(self.span.start + rows, self.span.stop + rows)
        return replace(self, sequences=self.sequences + sequences, rows=self.rows + rows, span=span)


def sizes_of_lengths(lengths: HostArray) -> Sizes:
    """Of a batch of sequences of these lengths, ``(s,)``."""
    lengths = lengths.astype(np.int64)
    return batch_sizes(
        tokens=int(lengths.sum()),
        sequences=len(lengths),
        pairs=int((lengths * lengths).sum()),
        longest=int(lengths.max(initial=0)),
    )


def batch_sizes(*, tokens: int, sequences: int, pairs: int, longest: int) -> dict[str, int]:
    """Numbers for the named extents: rows, sequences, pairs of rows, rows of the longest."""
    return {
        "tokens": tokens,
        "sequences": sequences,
        "offsets": sequences + 1,
        "pairs": pairs,
        "longest": longest,
    }


def plan_batches(offsets: HostArray, budget: int) -> Iterator[Batch]:
    """Sequences of a column, longest first, in batches of at most ``budget`` rows.

    A sequence longer than the budget is a batch of its own. Longest first, so that the last batches
    to finish are small ones; sorted, so that neighbours have equal lengths and attention can take
    them together.

    Parameters
    ----------
    offsets
        ``(n + 1,)`` of the column.
    budget
        Most rows in a batch.
    """
    if len(offsets) == 2:  # no need to look which is the longest
        yield _alone(int(offsets[0]), int(offsets[1]))
        return
    lengths = np.diff(offsets).astype(np.int64)
    order = np.argsort(-lengths, kind="stable")
    ends = np.cumsum(lengths[order])
    first = 0
    while first < len(order):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + budget, "right")))
        yield _pack(order[first:last], offsets, lengths)
        first = last


def _pack(sequences: HostArray, offsets: HostArray, lengths: HostArray) -> Batch:
    chosen = lengths[sequences]
    packed = np.concatenate(([0], np.cumsum(chosen)))
    positions = np.arange(packed[-1]) - np.repeat(packed[:-1], chosen)
    rows = np.repeat(offsets[sequences].astype(np.int64), chosen) + positions
    sizes = sizes_of_lengths(chosen)
    follow = bool((np.diff(sequences) == 1).all())
    span = slice(int(offsets[sequences[0]]), int(offsets[sequences[-1] + 1])) if follow else None
    return Batch(sequences, packed.astype(np.int32), rows, positions.astype(np.int32), sizes, span)


def _alone(start: int, stop: int) -> Batch:
    """The one sequence of a column: its rows from ``start`` to ``stop - 1``."""
    count = stop - start
    sizes = batch_sizes(tokens=count, sequences=1, pairs=count * count, longest=count)
    offsets, positions = np.array([0, count], np.int32), np.arange(count, dtype=np.int32)
    rows, span = np.arange(start, stop), slice(start, stop)
    return Batch(np.zeros(1, np.int64), offsets, rows, positions, sizes, span)
