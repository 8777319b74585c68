"""What a prepared plan did: seconds and costs by step, and the sizes of each run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import RLock

from gpudb.exec.counting import Counting
from gpudb.exec.graph import Step
from gpudb.exec.operator import Cost
from gpudb.types import Sizes


class Profile:
    """Grows while a query runs; several threads may add to it.

    Parameters
    ----------
    timed
        Wait for the device after each step, so that its seconds are its own.
    """

    def __init__(self, timed: bool = False) -> None:
        self.timed = timed
        self._totals = _Totals()
        self._counted: list[tuple[Sequence[Sizes], Counting]] = []
        self._lock = RLock()

    @property
    def seconds(self) -> list[float]:
        """Time in each step, summed over all runs and threads."""
        return self._settled().seconds

    @property
    def runs(self) -> list[Sizes]:
        """Sizes of each run."""
        return self._settled().runs

    @property
    def costs(self) -> list[Cost]:
        """Of each step, summed over all runs; scratch is that of the largest."""
        return self._settled().costs

    @property
    def peak_nbytes(self) -> int:
        """Most that one run held, see :class:`~gpudb.exec.held.Held`."""
        with self._lock:
            counted = (counting.peak_nbytes(runs) for runs, counting in self._counted)
            return max(self._totals.peak_nbytes, *counted, 0)

    @property
    def flops(self) -> int:
        """Floating-point operations of all steps."""
        with self._lock:
            counted = sum(counting.flops(runs) for runs, counting in self._counted)
            return counted + sum(cost.flops for cost in self._totals.costs)

    def add(
        self, seconds: Sequence[float], sizes: Sizes, costs: Sequence[Cost], peak_nbytes: int
    ) -> None:
        """Record one run: seconds and cost of each step, and the most it held."""
        with self._lock:
            self._totals.add(seconds, sizes, costs, peak_nbytes)

    def count(self, runs: Sequence[Sizes], counting: Counting) -> None:
        """Record runs of these sizes that nobody timed; counted once somebody asks."""
        with self._lock:
            self._counted.append((runs, counting))

    def _settled(self) -> _Totals:
        """Everything step by step: it takes a while where many runs are to be counted."""
        with self._lock:
            for runs, counting in self._counted:
                for sizes in runs:
                    costs, peak_nbytes = counting.costs(sizes), counting.peak_nbytes([sizes])
                    self._totals.add([0.0] * len(costs), sizes, costs, peak_nbytes)
            self._counted.clear()
            return self._totals

    def rows(self, step: Step) -> int:
        """Rows of a step's result, summed over all runs."""
        extent = step.op.out.shape[0]
        if isinstance(extent, int):
            return extent * len(self.runs)
        return sum(sizes[extent] for sizes in self.runs)


@dataclass(slots=True)
class _Totals:
    """Sums over the runs so far."""

    seconds: list[float] = field(default_factory=list)
    runs: list[Sizes] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    peak_nbytes: int = 0

    def add(
        self, seconds: Sequence[float], sizes: Sizes, costs: Sequence[Cost], peak_nbytes: int
    ) -> None:
        if not self.runs:
            self.seconds, self.costs = list(seconds), list(costs)
        else:
            self.seconds = [a + b for a, b in zip(self.seconds, seconds, strict=True)]
            self.costs = [_summed(a, b) for a, b in zip(self.costs, costs, strict=True)]
        self.peak_nbytes = max(self.peak_nbytes, peak_nbytes)
        self.runs.append(sizes)


def _summed(a: Cost, b: Cost) -> Cost:
    return Cost(
        flops=a.flops + b.flops,
        read=a.read + b.read,
        written=a.written + b.written,
        scratch=max(a.scratch, b.scratch),
    )
