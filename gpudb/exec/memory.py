"""What a plan will hold at most, known before it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpudb.exec.graph import Step
from gpudb.types import Sizes


def kept_constants(steps: Sequence[Step]) -> list[int]:
    """Numbers of the constant steps whose results a run reads, and of what these look into."""
    read = {i for s in steps if not s.constant for i in s.inputs} | {len(steps) - 1}
    for number in range(len(steps) - 1, -1, -1):
        if number in read and steps[number].op.is_view:
            read.add(steps[number].inputs[0])
    return sorted(i for i in read if steps[i].constant)


def resident_nbytes(steps: Sequence[Step]) -> int:
    """Bytes of stored tensors that stay with a plan whose weights are resident."""
    kept = (steps[i] for i in kept_constants(steps))
    return sum(step.nbytes({}) for step in kept if not step.op.is_view)


def peak_nbytes(
    steps: Sequence[Step], sizes: Sizes, filled: Mapping[int, int] | None = None
) -> int:
    """Most bytes one run holds at once, beside what is resident.

    ``filled`` are the bytes of inputs completed with zeros, by the number of the step.
    """
    return max(held_nbytes(steps, sizes, filled).values(), default=0)


def held_nbytes(
    steps: Sequence[Step], sizes: Sizes, filled: Mapping[int, int] | None = None
) -> dict[int, int]:
    """Bytes held while each step of one run works, stored tensors aside, by number."""
    completed = filled or {}
    during: dict[int, int] = {}
    held = 0
    owned: dict[int, int] = {}
    for number, step in enumerate(steps):
        if step.constant:
            continue
        nbytes = 0 if step.op.is_view else step.nbytes(sizes)
        scratch = step.op.cost(sizes).scratch + completed.get(number, 0)
        during[number] = held + nbytes + scratch
        owned[number] = nbytes
        held += nbytes
        held -= sum(owned.pop(done, 0) for done in step.frees)
    return during
