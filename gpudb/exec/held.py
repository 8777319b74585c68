"""Bytes that one run of a plan holds, counted while it runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Held:
    """Results of steps while somebody needs them, and the scratch of the step that runs.

    It counts arrays, not the process: what NumPy, BLAS and Python hold beside them is not in it.
    """

    peak_nbytes: int = 0
    _now: int = 0
    _owned: dict[int, int] = field(default_factory=dict)

    def add(self, step: int, nbytes: int, scratch: int) -> None:
        """A step has made a result of ``nbytes`` (0 for a view), and held ``scratch`` meanwhile."""
        self.peak_nbytes = max(self.peak_nbytes, self._now + nbytes + scratch)
        self._owned[step] = nbytes
        self._now += nbytes

    def free(self, steps: Iterable[int]) -> None:
        """Nobody needs the results of these steps any more; unknown ones were never held."""
        self._now -= sum(self._owned.pop(step, 0) for step in steps)
