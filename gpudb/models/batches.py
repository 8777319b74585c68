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
    packed = _Packed.of(offsets)
    first = 0
    while first < len(packed.order):
        full = np.searchsorted(packed.offsets, packed.offsets[first] + budget, "right")
        last = max(first + 1, int(full) - 1)
        yield packed.batch(first, last)
        first = last


@dataclass(frozen=True, slots=True)
class _Packed:
    """A whole column, longest sequence first: batches are slices of it."""

    order: HostArray
    """``(n,)`` numbers of the sequences."""
    offsets: HostArray
    """``(n + 1,)`` where each begins among the packed rows."""
    pairs: HostArray
    """``(n + 1,)`` pairs of rows of those before."""
    jumps: HostArray
    """``(n,)`` how often a sequence, up to here, was not the next one of the column."""
    rows: HostArray
    """``(t,)`` as in :class:`Batch`, of all rows."""
    positions: HostArray
    """``(t,)`` as in :class:`Batch`."""

    @classmethod
    def of(cls, offsets: HostArray) -> _Packed:
        lengths = np.diff(offsets).astype(np.int64)
        order = np.argsort(-lengths, kind="stable")
        lengths = lengths[order]
        packed = _sums(lengths)
        positions = np.arange(packed[-1])
        positions -= np.repeat(packed[:-1], lengths)
        positions = positions.astype(np.int32)
        rows = np.repeat(offsets[order].astype(np.int64), lengths)
        rows += positions
        return cls(
            order=order,
            offsets=packed,
            pairs=_sums(lengths * lengths),
            jumps=_sums(np.diff(order) != 1),
            rows=rows,
            positions=positions,
        )

    def batch(self, first: int, last: int) -> Batch:
        """Of the sequences from ``first`` to ``last - 1``; at least one."""
        start, stop = int(self.offsets[first]), int(self.offsets[last])
        rows = self.rows[start:stop]
        sizes = batch_sizes(
            tokens=stop - start,
            sequences=last - first,
            pairs=int(self.pairs[last] - self.pairs[first]),
            longest=int(self.offsets[first + 1]) - start,
        )
        follow = self.jumps[first] == self.jumps[last - 1]
        begin = int(rows[0]) if len(rows) else 0
        return Batch(
            self.order[first:last],
            (self.offsets[first : last + 1] - start).astype(np.int32),
            rows,
            self.positions[start:stop],
            sizes,
            slice(begin, begin + len(rows)) if follow else None,
        )


def _sums(numbers: HostArray) -> HostArray:
    """Of none of them, of the first, of the first two…"""
    return np.concatenate(([0], np.cumsum(numbers)))


def _alone(start: int, stop: int) -> Batch:
    """The one sequence of a column: its rows from ``start`` to ``stop - 1``."""
    count = stop - start
    sizes = batch_sizes(tokens=count, sequences=1, pairs=count * count, longest=count)
    offsets, positions = np.array([0, count], np.int32), np.arange(count, dtype=np.int32)
    rows, span = np.arange(start, stop), slice(start, stop)
    return Batch(np.zeros(1, np.int64), offsets, rows, positions, sizes, span)
