"""What a prepared plan did: seconds and costs by step, and the sizes of each run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from gpudb.exec.graph import Step
from gpudb.exec.operator import Cost
from gpudb.types import Sizes


@dataclass(slots=True)
class Profile:
    """Grows while a query runs; several threads may add to it."""

    timed: bool = False
    """Wait for the device after each step, so that its seconds are its own."""
    seconds: list[float] = field(default_factory=list)
    """Time in each step, summed over all runs and threads."""
    runs: list[Sizes] = field(default_factory=list)
    """Sizes of each run."""
    costs: list[Cost] = field(default_factory=list)
    """Of each step, summed over all runs; scratch is that of the largest."""
    peak_nbytes: int = 0
    """Most that one run held, see :class:`~gpudb.exec.held.Held`."""
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(
        self, seconds: Sequence[float], sizes: Sizes, costs: Sequence[Cost], peak_nbytes: int
    ) -> None:
        """Record one run: seconds and cost of each step, and the most it held."""
        with self._lock:
            if not self.runs:
                self.seconds, self.costs = list(seconds), list(costs)
            else:
                self.seconds = [a + b for a, b in zip(self.seconds, seconds, strict=True)]
                self.costs = [_summed(a, b) for a, b in zip(self.costs, costs, strict=True)]
            self.peak_nbytes = max(self.peak_nbytes, peak_nbytes)
            self.runs.append(sizes)

    @property
    def flops(self) -> int:
        """Floating-point operations of all steps."""
        return sum(cost.flops for cost in self.costs)

    def rows(self, step: Step) -> int:
        """Rows of a step's result, summed over all runs."""
        extent = step.op.out.shape[0]
        if isinstance(extent, int):
            return extent * len(self.runs)
        return sum(sizes[extent] for sizes in self.runs)


def _summed(a: Cost, b: Cost) -> Cost:
    return Cost(
        flops=a.flops + b.flops,
        read=a.read + b.read,
        written=a.written + b.written,
        scratch=max(a.scratch, b.scratch),
    )
