"""The base of operators over rows that block boundaries cut."""

from __future__ import annotations

from dataclasses import dataclass

from gpudb.backend import Backend
from gpudb.exec.batch import Keys
from gpudb.exec.lines import lines_along, valid_lengths
from gpudb.exec.operator import Joined, PhysicalOp


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CutRows(PhysicalOp):
    """Two-level: a state of each part of a row, merged by row, joined back to the parts.

    ``joined.rows`` is (elements inside each block, blocks line after line, elements inside each of
    these, where lines start, line of each block).
    """

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        """Group the blocks of each line; the result has the blocks of the first input."""
        axis = self.out.ndim - 1
        lines = lines_along(keys[0], axis)
        lengths = valid_lengths(keys[0], self.out, axis)
        by_line = (lines.order, lengths[lines.order], lines.starts)
        return Joined(keys[0], (lengths, *by_line, lines.of_block))

    def detail(self) -> str:
        """Which form it is, and how many parts a row has."""
        return f"two-level over {self.out.grid_along(self.out.ndim - 1)} blocks"
