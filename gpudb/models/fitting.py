"""How a model's batches are made to fit the memory limit."""

from __future__ import annotations

from gpudb.exec.placement import Placement
from gpudb.exec.prepared import PreparedPlan
from gpudb.models.batches import batch_sizes
from gpudb.models.limits import Limits
from gpudb.types import Sizes


def fit_batches(
    plan: PreparedPlan, limits: Limits, longest: int, most: int
) -> tuple[Placement, int]:
    """Where the weights are, for how many threads, and the token budget, within the limit.

    Resident with smaller batches, then fewer threads, before streamed. Every batch of every
    thread reads the streamed weights anew: most tokens at work at once win. ``refused`` where
    even one text at a time is too much.

    Parameters
    ----------
    plan
        With its keys joined.
    limits
        Threads and memory.
    longest
        Tokens of the longest text.
    most
        Token budget to begin with.
    """
    budgets = [most]
    while budgets[-1] > longest:
        budgets.append(max(longest, budgets[-1] // 2))
    fewer = range(limits.threads - 1, 0, -1)
    resident = [(limits.threads, b) for b in budgets] + [(n, longest) for n in fewer]
    streamed = [(n, b) for n in range(limits.threads, 0, -1) for b in budgets]
    streamed.sort(key=lambda choice: -choice[0] * choice[1])
    for mode, choices in (("resident", resident), ("streamed", streamed)):
        for threads, budget in choices:
            sizes = fullest_sizes(budget, longest)
            placement = plan.place(sizes, limits.memory_nbytes, threads)
            if placement.mode == mode:
                return placement, budget
    return placement, budget


def fit_threads(plan: PreparedPlan, limits: Limits, label: str) -> Placement:
    """Placement of a plan over blocks, for as many threads as the limit allows.

    Raises
    ------
    MemoryBudgetError
        One thread is too many; ``label`` is the model's.
    """
    choices = [plan.place({}, limits.memory_nbytes, n) for n in range(limits.threads, 0, -1)]
    for mode in ("resident", "streamed"):
        for placement in choices:
            if placement.mode == mode:
                return placement
    choices[-1].check(f"model {label} over blocks")
    return choices[-1]


def fullest_sizes(budget: int, longest: int) -> Sizes:
    """The batch that memory is planned for: full, and every sequence as long as the longest."""
    return batch_sizes(tokens=budget, sequences=budget, pairs=budget * longest, longest=longest)
