"""What a plan will hold at most, known before it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpudb.errors import MemoryBudgetError
from gpudb.exec.graph import Step
from gpudb.types import Sizes


def resident_nbytes(steps: Sequence[Step]) -> int:
    """Bytes of stored tensors that stay with a prepared plan."""
    read = {i for s in steps if not s.constant for i in s.inputs} | {len(steps) - 1}
    for number in range(len(steps) - 1, -1, -1):
        if number in read and steps[number].op.is_view:
            read.add(steps[number].inputs[0])
    kept = (steps[i] for i in read)
    return sum(s.op.out.nbytes for s in kept if s.constant and not s.op.is_view)


def peak_nbytes(
    steps: Sequence[Step], sizes: Sizes, filled: Mapping[int, int] | None = None
) -> int:
    """Most bytes one run holds at once, beside what is resident.

    ``filled`` are the bytes of inputs completed with zeros, by the number of the step.
    """
    completed = filled or {}
    held = peak = 0
    owned: dict[int, int] = {}
    for number, step in enumerate(steps):
        if step.constant:
            continue
        nbytes = 0 if step.op.is_view else step.op.out.bind(sizes).nbytes
        scratch = step.op.cost(sizes).scratch + completed.get(number, 0)
        peak = max(peak, held + nbytes + scratch)
        owned[number] = nbytes
        held += nbytes
        held -= sum(owned.pop(done, 0) for done in step.frees)
    return peak


def check_budget(what: str, needed: int, limit: int) -> None:
    """Refuse what cannot fit, before anything runs.

    Raises
    ------
    MemoryBudgetError
        ``needed`` exceeds ``limit``; both are in the message, in bytes.
    """
    if needed > limit:
        raise MemoryBudgetError(
            f"{what} needs {needed:,} bytes, memory_limit is {limit:,} bytes; "
            "raise memory_limit= in connect(), or use fewer threads"
        )
