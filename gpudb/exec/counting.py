"""What runs of a plan take, counted from their sizes; nothing is run for it.

A history wants it of every statement, and a long column has hundreds of batches, so it is cheap.
Most counts are linear, for an array has at most one extent that a run decides. What one more of
each extent adds is worked out once; then any number of runs are a product of matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from gpudb.exec.graph import Step
from gpudb.exec.memory import held_nbytes
from gpudb.exec.operator import Cost, Joined
from gpudb.types import HostArray, Sizes


@dataclass(frozen=True, slots=True, eq=False)
class Counting:
    """Of one plan, whose keys are joined."""

    steps: tuple[Step, ...]
    joined: tuple[Joined, ...]
    _tables: dict[tuple[str, ...], _Tables] = field(default_factory=dict, repr=False)
    """By the extents that runs name."""

    def costs(self, sizes: Sizes) -> list[Cost]:
        """What each step of one run takes; constants take nothing."""
        known: dict[int, Cost] = {}
        costs = [Cost()] * len(self.steps)
        for number, step in enumerate(self.steps):
            if step.constant:
                continue
            if step.alike not in known:
                known[step.alike] = step.op.cost(sizes)
            pairing = self.joined[number].pairing
            cost = known[step.alike]
            costs[number] = cost.of_share(pairing.share) if pairing else cost
        return costs

    def flops(self, runs: Sequence[Sizes]) -> int:
        """Floating-point operations of all of the runs."""
        return sum(self._counts(runs).flops.of(runs)[0].tolist()) if runs else 0

    def peak_nbytes(self, runs: Sequence[Sizes]) -> int:
        """Most bytes that one of the runs holds, see :class:`~gpudb.exec.held.Held`."""
        if not runs:
            return 0
        counts = self._counts(runs)
        scratch = {alike: table.of(runs)[0] for alike, table in counts.scratch.items()}
        held = counts.results.of(runs)
        for row, step in zip(held, self._running, strict=True):
            row += scratch[step.alike]
        return int(held.max(initial=0))

    @property
    def _running(self) -> list[Step]:
        """Those that a run takes."""
        return [step for step in self.steps if not step.constant]

    def _counts(self, runs: Sequence[Sizes]) -> _Tables:
        names = tuple(sorted(runs[0]))
        if names not in self._tables:
            alike = dict.fromkeys(step.alike for step in self._running)
            self._tables[names] = _Tables(
                _Table.of_count(lambda sizes: [_flops(self.costs(sizes))], names),
                _Table.of_count(self._results, names),
                {i: _Table.of_count(partial(_scratch, self.steps[i]), names) for i in alike},
            )
        return self._tables[names]

    def _results(self, sizes: Sizes) -> list[int]:
        """Bytes of the results that are there while each step of a run works."""
        held = held_nbytes(self.steps, sizes)
        return [nbytes - self.steps[i].op.cost(sizes).scratch for i, nbytes in held.items()]


def _flops(costs: Sequence[Cost]) -> int:
    return sum(cost.flops for cost in costs)


def _scratch(step: Step, sizes: Sizes) -> list[int]:
    return [step.op.cost(sizes).scratch]


@dataclass(frozen=True, slots=True)
class _Table:
    """Numbers that depend on the sizes of a run."""

    count: Callable[[Sizes], list[int]]
    names: tuple[str, ...]
    coefficients: HostArray | None
    """``(numbers, 1 + names)``: what is always there, and what one more of each extent adds; None
    where the numbers are not linear."""

    @classmethod
    def of_count(cls, count: Callable[[Sizes], list[int]], names: tuple[str, ...]) -> _Table:
        """From what ``count`` says around one point.

        Whether it is linear shows at two more points, one row of everything and as many as no run
        has: what stops growing or begins to grow in between is found out.
        """
        here = {name: 101 + 7 * i for i, name in enumerate(names)}
        start = np.array(count(here), np.int64)
        slopes = [np.array(count({**here, n: here[n] + 1}), np.int64) - start for n in names]
        always = start - sum(slope * here[n] for slope, n in zip(slopes, names, strict=True))
        table = cls(count, names, np.stack([always, *slopes], axis=1))
        others = [dict.fromkeys(names, 1), {n: 2**24 + i * i for i, n in enumerate(names)}]
        linear = np.array_equal(table.of(others), table._one_by_one(others))
        return table if linear else cls(count, names, None)

    def of(self, runs: Sequence[Sizes]) -> HostArray:
        """``(numbers, runs)``."""
        # Of an extent that is 0 there is a block, as of one that is 1.
        if self.coefficients is None or any(0 in sizes.values() for sizes in runs):
            return self._one_by_one(runs)
        sizes = np.array([[1, *(run[name] for name in self.names)] for run in runs], np.int64)
        found: HostArray = self.coefficients @ sizes.T
        return found

    def _one_by_one(self, runs: Sequence[Sizes]) -> HostArray:
        return np.array([self.count(sizes) for sizes in runs], np.int64).T


@dataclass(frozen=True, slots=True)
class _Tables:
    flops: _Table
    """Of all steps together."""
    results: _Table
    """Of each step that a run takes, see :meth:`Counting._results`."""
    scratch: dict[int, _Table]
    """Of steps that are alike, by the number of the first."""
