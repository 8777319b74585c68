"""The stored tensors of a plan while it runs: all there, or read ahead of the steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

from gpudb.backend import Array
from gpudb.exec.arrange import Arranger
from gpudb.exec.operator import Panels
from gpudb.exec.placement import (
    PANELS_HELD,
    SMALL_NBYTES,
    Placement,
    Weight,
    blocks_in_panel,
    find_weights,
    owner,
    panel_parts,
    panel_rows_nbytes,
)


class OpenWeights(Protocol):
    """What the steps of one run read."""

    def before(self, step: int) -> None:
        """The step is next."""

    def get(self, number: int) -> Array | Panels:
        """The constant with this number, which the step that is next reads."""

    def after(self, step: int) -> None:
        """The step is done: what nobody needs any more may go."""

    @property
    def nbytes(self) -> int:
        """Bytes this run holds of them now, beside what stays with the plan."""


class Weights(Protocol):
    """The stored tensors of a plan; any number of runs may open them at once."""

    def opened(self) -> AbstractContextManager[OpenWeights]:
        """For one run."""


@dataclass(frozen=True, slots=True)
class ResidentWeights:
    """All of them, for as long as the plan lives."""

    arrays: Mapping[int, Array]

    @contextmanager
    def opened(self) -> Iterator[OpenWeights]:
        """The same for every run."""
        yield self

    def before(self, step: int) -> None:
        """Everything is there."""

    def get(self, number: int) -> Array:
        """By number of the step."""
        return self.arrays[number]

    def after(self, step: int) -> None:
        """Everything stays."""

    @property
    def nbytes(self) -> int:
        """Nothing that does not stay."""
        return 0


@dataclass(frozen=True, slots=True)
class StreamedWeights:
    """Small ones stay; the others are read for each run, one group of them ahead.

    A group is what one step is the first to need. While the steps from there to the next group
    work, a thread reads that one: never more than :func:`gpudb.exec.placement.place` counted.
    """

    arranger: Arranger
    placement: Placement
    kept: Mapping[int, Array]
    groups: tuple[tuple[Weight, ...], ...]

    @classmethod
    def of(cls, arranger: Arranger, placement: Placement) -> StreamedWeights:
        """Read the small ones, order the others."""
        weights = find_weights(arranger.steps)
        kept = {w.number: arranger.owned(w.number) for w in weights if w.nbytes <= SMALL_NBYTES}
        streamed = [w for w in weights if w.number not in kept]
        read = [w for w in streamed if w.number not in placement.panel_nbytes]
        groups = tuple(tuple(group) for _, group in groupby(read, lambda w: w.first))
        return cls(arranger, placement, kept, groups)

    def pieces(self, number: int) -> list[_Piece]:
        """The panels of a weight."""
        steps = self.arranger.steps
        pieces = []
        before = 0
        for scan in panel_parts(steps, number) or ():
            out = steps[scan].op.out
            height, extent = out.block_numbers[0], out.numbers[0]
            most = blocks_in_panel(out.block_nbytes, self.placement.panel_nbytes[number])
            for first in range(0, out.blocks, most):
                last = min(out.blocks, first + most)
                rows = min(extent, last * height) - first * height
                pieces.append(_Piece(before + first * height, rows, scan, first, last))
            before += extent
        return pieces

    @contextmanager
    def opened(self) -> Iterator[OpenWeights]:
        """A window of its own for each run."""
        with ThreadPoolExecutor(1, "gpudb-read-ahead") as pool:
            window = _Window(self, pool)
            try:
                yield window
            finally:
                window.close()


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows of a weight that are read at once."""

    start: int
    """Number of the first row in the weight."""
    rows: int
    scan: int
    """The step that reads them, and which of its blocks."""
    first: int
    last: int


@dataclass(slots=True)
class _Window:
    """The weights that one run holds."""

    weights: StreamedWeights
    pool: ThreadPoolExecutor
    arrays: dict[int, Array] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)
    coming: Future[dict[int, Array]] | None = None
    group: int = 0
    """The group that is coming."""
    panel_nbytes: int = 0
    """Bytes of the panels of the step that is at work."""

    def __post_init__(self) -> None:
        self.arrays.update(self.weights.kept)
        self._read_ahead()

    def before(self, step: int) -> None:
        groups = self.weights.groups
        while self.coming is not None and groups[self.group][0].first <= step:
            self.arrays.update(self.coming.result())
            self.last.update({w.number: w.last for w in groups[self.group]})
            self.group += 1
            self._read_ahead()

    def get(self, number: int) -> Array | Panels:
        arranger = self.weights.arranger
        source = owner(arranger.steps, number)
        panels = self.weights.placement.panel_nbytes
        if source in panels:
            rows = panel_rows_nbytes(arranger.steps, source, panels[source])
            self.panel_nbytes += PANELS_HELD * rows
            return Panels(self._panels(source))
        return arranger.view(number, self.arrays)

    @property
    def nbytes(self) -> int:
        """What is there, what is coming, and panels."""
        here: int = sum(self.arrays[number].nbytes for number in self.last)
        coming = self.weights.groups[self.group] if self.coming is not None else ()
        return here + sum(w.nbytes for w in coming) + self.panel_nbytes

    def after(self, step: int) -> None:
        self.panel_nbytes = 0
        for number in [n for n, last in self.last.items() if last <= step]:
            del self.arrays[number], self.last[number]

    def close(self) -> None:
        """Drop everything; what is being read is waited for by the pool."""
        if self.coming is not None:
            self.coming.cancel()
        self.coming = None
        self.arrays.clear()

    def _read_ahead(self) -> None:
        groups, owned = self.weights.groups, self.weights.arranger.owned
        if self.group == len(groups):
            self.coming = None
            return
        numbers = [w.number for w in groups[self.group]]
        self.coming = self.pool.submit(lambda: {n: owned(n) for n in numbers})

    def _panels(self, number: int) -> Iterator[tuple[int, Array]]:
        """Rows of a weight, the next ones read while those before are worked on."""
        pieces = self.weights.pieces(number)
        # A pool of its own: the window's may be busy with the group after this step.
        with ThreadPoolExecutor(1, "gpudb-panels") as pool:
            ahead: Future[Array] = pool.submit(self._read, pieces[0])
            for place, piece in enumerate(pieces):
                panel = ahead.result()
                if place + 1 < len(pieces):
                    ahead = pool.submit(self._read, pieces[place + 1])
                yield piece.start, panel
                del panel

    def _read(self, piece: _Piece) -> Array:
        blocks = self.weights.arranger.scanned(piece.scan, piece.first, piece.last)
        return blocks.reshape(-1, *blocks.shape[2:])[: piece.rows]
