"""What a prepared plan did: seconds by step, and the sizes of each run."""

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

    seconds: list[float] = field(default_factory=list)
    """Time in each step, summed over all runs and threads."""
    runs: list[Sizes] = field(default_factory=list)
    """Sizes of each run."""
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, seconds: Sequence[float], sizes: Sizes) -> None:
        """Record one run."""
        with self._lock:
            if not self.seconds:
                self.seconds = [0.0] * len(seconds)
            self.seconds = [a + b for a, b in zip(self.seconds, seconds, strict=True)]
            self.runs.append(sizes)

    def cost(self, step: Step) -> Cost:
        """Cost of a step, summed over all runs; scratch is that of the largest."""
        costs = [step.op.cost(sizes) for sizes in self.runs]
        return Cost(
            flops=sum(c.flops for c in costs),
            read=sum(c.read for c in costs),
            written=sum(c.written for c in costs),
            scratch=max((c.scratch for c in costs), default=0),
        )

    def rows(self, step: Step) -> int:
        """Rows of a step's result, summed over all runs."""
        return sum(step.op.out.bind(sizes).numbers[0] for sizes in self.runs)
