"""The least time that the ceilings of a machine allow an operator.

Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore
architectures", 2009.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpudb.exec.operator import Cost
from gpudb.exec.operators.pack_weight import PackWeight
from gpudb.exec.operators.sequence_attention import SequenceAttention
from gpudb.exec.prepared import PreparedPlan
from gpudb.machine import Ceilings


@dataclass(frozen=True, slots=True)
class Roofline:
    """Ceilings of each of the threads that run a plan, while all of them do."""

    ceilings: Ceilings
    device: str
    precision: str | None
    """Of products by weights that the device packed; None where the plan has none."""
    workers: int
    blas_threads: int
    """Threads of one product: of NumPy's, or of a batch that threads share."""

    @property
    def gflops(self) -> float:
        """GFLOP/s of the products that the plan is made for."""
        return self._products(self.precision)

    @property
    def gbytes(self) -> float:
        """GB/s from and to memory."""
        return self._moving(max(self.ceilings.moves))[0]

    def least_seconds(self, cost: Cost, runs: int, precision: str | None) -> tuple[float, str]:
        """Least time for these operations and bytes, and what asks for it.

        Parameters
        ----------
        cost
            Of all runs together.
        runs
            How many: data of one run that fits a cache moves at its rate.
        precision
            Of its products, where that is not the inputs'; None for anything else.

        Returns
        -------
        seconds
            0 where there is nothing to do.
        limit
            ``"compute"``, ``"memory"`` or ``"cache"``.
        """
        moved = cost.read + cost.written
        gbytes, cached = self._moving(moved / max(1, runs))
        compute = cost.flops / self._products(precision) / 1e9
        memory = moved / gbytes / 1e9
        if compute >= memory:
            return compute, "compute"
        return memory, "cache" if cached else "memory"

    def _products(self, precision: str | None) -> float:
        own = self.ceilings.multiplying(self.device, precision) if precision else None
        if own is not None and self.device != "numpy":
            return own.per_worker(self.workers, self.blas_threads)
        rates = self.ceilings.computing(self.device)
        assert rates is not None  # roofline() looked
        return rates.per_worker(self.workers, self.blas_threads)

    def _moving(self, nbytes: float) -> tuple[float, bool]:
        rates, cached = self.ceilings.moving(nbytes)
        return rates.per_worker(self.workers), cached


def roofline(
    plan: PreparedPlan, ceilings: Ceilings, workers: int, blas_threads: int
) -> Roofline | None:
    """The roofline of a plan's device; None where what it multiplies with was not measured."""
    device, precision = plan.backend.name, plan_precision(plan)
    if precision and not ceilings.multiplying(device, precision):
        return None
    if not ceilings.computing(device):
        return None
    return Roofline(ceilings, device, precision, workers, blas_threads)


def plan_precision(plan: PreparedPlan) -> str | None:
    """Precision of a plan's products by packed weights; None where it has none."""
    found = (packed_precision(plan, number) for number in range(len(plan.steps)))
    return next(filter(None, found), None)


def packed_precision(plan: PreparedPlan, number: int) -> str | None:
    """Precision of a step that multiplies by a packed weight; None for any other."""
    for i in plan.steps[number].inputs:
        if isinstance(plan.steps[i].op, PackWeight):
            return plan.steps[i].op.out.dtype
    return None


def step_precision(plan: PreparedPlan, number: int) -> str | None:
    """Precision that a step multiplies in; None where it is that of its inputs."""
    if isinstance(plan.steps[number].op, SequenceAttention):
        return plan.backend.attends
    return packed_precision(plan, number)
