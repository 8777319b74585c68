"""Stored tensors as the operators of a plan read them: scanned, cut, put side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.graph import Step
from gpudb.exec.missing import take_blocks
from gpudb.exec.operator import Context, Joined, Source
from gpudb.exec.operators.scan_blocks import ScanBlocks
from gpudb.types import HostArray

Fills = Mapping[int, tuple[HostArray | None, ...]]
"""See :class:`gpudb.exec.prepared.PreparedPlan`."""


@dataclass(frozen=True, slots=True)
class ReadSource:
    """A source whose blocks come in arrays of their own: when these go, their memory goes."""

    source: Source

    def keys(self, name: str) -> Keys:
        """As the source has them."""
        return self.source.keys(name)

    def runs(self, name: str, rows: HostArray) -> list[HostArray]:
        """All blocks in one run."""
        return [self.source.read(name, rows)] if len(rows) else []

    def read(self, name: str, rows: HostArray) -> HostArray:
        """As the source reads them."""
        return self.source.read(name, rows)


@dataclass(frozen=True, slots=True)
class Arranger:
    """Makes the constants of one plan."""

    backend: Backend
    steps: Sequence[Step]
    joined: Sequence[Joined]
    fills: Fills
    source: Source

    def resident(self, number: int, made: Mapping[int, Array]) -> Array:
        """A constant to be kept; a view of mapped pages where nothing has to be copied.

        ``made`` are constants that are there already, by number.
        """
        copied = self.backend.computes and not self._is_mapped(number)
        source: Source = ReadSource(self.source) if copied else self.source
        return self._make(number, source, made)

    def owned(self, number: int) -> Array:
        """A constant in memory of its own, which ends with the array."""
        source: Source = ReadSource(self.source) if self.backend.computes else self.source
        return self._make(number, source, {})

    def view(self, number: int, made: Mapping[int, Array]) -> Array:
        """A view of a constant that is there."""
        return self._make(number, self.source, made)

    def scanned(self, number: int, first: int, last: int) -> Array:
        """Some blocks of a scan, in memory of their own."""
        op = self.steps[number].op
        assert isinstance(op, ScanBlocks)
        part = self.joined[number]
        part = Joined(part.keys[first:last], (part.rows[0][first:last],))
        return op.run(Context(self.backend, ReadSource(self.source), {}), part)

    def _is_mapped(self, number: int) -> bool:
        """True when a constant is nothing but a view of pages, as far as the plan knows."""
        while self.steps[number].op.is_view:
            number = self.steps[number].inputs[0]
        return isinstance(self.steps[number].op, ScanBlocks)

    def _make(self, number: int, source: Source, made: Mapping[int, Array]) -> Array:
        if number in made:
            return made[number]
        step = self.steps[number]
        inputs = [self._make(i, source, made) for i in step.inputs]
        if number in self.fills:
            inputs = filled(self.backend, inputs, self.fills[number])
        return step.op.run(Context(self.backend, source, {}), self.joined[number], *inputs)


def filled(
    backend: Backend, inputs: Sequence[Array], fill: Sequence[HostArray | None]
) -> list[Array]:
    """Inputs completed with zeros to full grids."""
    return [take_blocks(backend, x, rows) for x, rows in zip(inputs, fill, strict=True)]
