"""Where the stored tensors of a plan are while it runs, decided from sizes before it does.

Resident: all of them stay with the plan. Streamed: each is read when the first step that needs it
is next, and let go after the last; one that is large by itself comes in row panels. Where even that
is too much, expressions run in parts (:mod:`gpudb.exec.spilled`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from gpudb.errors import MemoryBudgetError
from gpudb.exec import memory
from gpudb.exec.graph import Step
from gpudb.exec.operators.coalesce_panels import CoalescePanels
from gpudb.exec.operators.concat_rows import ConcatRows
from gpudb.exec.operators.pack_weight import PackWeight
from gpudb.exec.operators.scan_blocks import ScanBlocks
from gpudb.types import Sizes

Mode: TypeAlias = Literal["resident", "streamed", "spilled", "refused"]

SMALL_NBYTES = 64 << 10
"""Smaller weights (biases, scales) stay: reading them again would cost more than holding them."""

PANEL_SHARE = 8
"""A weight of more than limit / PANEL_SHARE comes in panels where its step can take them; a panel
has about half of that."""

PANELS_HELD = 3
"""The panel at work, the next one, and the one before until its place is taken."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A result of arranging stored tensors, as steps of a run read it."""

    number: int
    """Of the step that makes it."""
    first: int
    """First and last step of a run that need it."""
    last: int
    nbytes: int
    scratch: int
    """Bytes held while it is made, beside it."""
    reader: int | None
    """The only step that reads it, where that can take row panels."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the weights of a plan are, and what a run holds."""

    mode: Mode
    held_nbytes: int
    """Weights that stay between runs and are shared by all runs at once."""
    run_nbytes: int
    """Most bytes that one run holds beside these."""
    runs: int
    """Runs at once."""
    limit: int
    reason: str = ""
    """Why not resident."""
    panel_nbytes: Mapping[int, int] = field(default_factory=dict)
    """For each weight that comes in row panels, about the bytes of one."""

    @property
    def needed_nbytes(self) -> int:
        """Most bytes held at once."""
        return self.held_nbytes + self.runs * self.run_nbytes

    @property
    def note(self) -> str:
        """What EXPLAIN says; empty where there is nothing to say."""
        return "" if self.mode == "resident" else f"{self.mode}: {self.reason}"

    def check(self, what: str) -> None:
        """Refuse what cannot fit, before anything runs.

        Raises
        ------
        MemoryBudgetError
            With the bytes needed and the limit.
        """
        if self.mode == "refused":
            raise MemoryBudgetError(
                f"{what} needs {self.needed_nbytes:,} bytes, memory_limit is {self.limit:,} "
                f"bytes ({self.reason}); raise memory_limit= in connect(), or use fewer threads"
            )


def place(
    steps: Sequence[Step],
    sizes: Sizes,
    limit: int,
    *,
    runs: int = 1,
    filled: Mapping[int, int] | None = None,
    resident: bool = True,
) -> Placement:
    """Resident where that fits the limit, else streamed; refused where neither does.

    Parameters
    ----------
    steps
        Of the plan.
    sizes
        Named extents of the largest run.
    limit
        Most bytes held at once.
    runs
        Runs at once, each with its own results and, streamed, its own copy of the weights.
    filled
        Bytes of inputs completed with zeros, by the number of the step.
    resident
        False to stream whatever the limit, because other runs beside this one do.
    """
    working = memory.held_nbytes(steps, sizes, filled)
    everything = Placement(
        "resident", memory.resident_nbytes(steps), max(working.values(), default=0), runs, limit
    )
    if resident and everything.needed_nbytes <= limit:
        return everything
    weights = find_weights(steps)
    kept = sum(w.nbytes for w in weights if w.nbytes <= SMALL_NBYTES)
    panels = _panels(weights, limit, filled or {})
    run = _streamed_nbytes(steps, sizes, working, weights, panels)
    reason = (
        f"stored tensors in parts, read ahead while the step before works, because resident "
        f"needs {everything.needed_nbytes:,} of {limit:,} bytes"
    )
    streamed = Placement("streamed", kept, run, runs, limit, reason, panels)
    if streamed.needed_nbytes <= limit:
        return streamed
    reason = (
        f"resident needs {everything.needed_nbytes:,} bytes, streamed {streamed.needed_nbytes:,}"
    )
    best = min(everything, streamed, key=lambda p: p.needed_nbytes)
    return Placement("refused", best.held_nbytes, best.run_nbytes, runs, limit, reason)


def _panels(weights: Sequence[Weight], limit: int, filled: Mapping[int, int]) -> dict[int, int]:
    """About the bytes of a panel of each weight that comes in panels: one of each reader."""
    largest: dict[int, Weight] = {}
    for weight in sorted(weights, key=lambda w: w.nbytes):
        large = weight.nbytes > max(SMALL_NBYTES, limit // PANEL_SHARE)
        if large and weight.reader is not None and weight.reader not in filled:
            largest[weight.reader] = weight
    return {weight.number: limit // (2 * PANEL_SHARE) for weight in largest.values()}


def find_weights(steps: Sequence[Step]) -> list[Weight]:
    """The weights of a plan in the order they are first needed."""
    readers: dict[int, set[int]] = {}
    for number, step in enumerate(steps):
        if not step.constant:
            for i in step.inputs:
                if steps[i].constant:
                    readers.setdefault(owner(steps, i), set()).add(number)
    if steps[-1].constant:
        readers.setdefault(owner(steps, len(steps) - 1), set()).add(len(steps) - 1)
    weights = [
        Weight(
            number,
            min(read),
            max(steps[number].last_use, *read),
            steps[number].nbytes({}),
            _making_nbytes(steps, number),
            _panel_reader(steps, number, read),
        )
        for number, read in readers.items()
    ]
    return sorted(weights, key=lambda w: (w.first, w.number))


def owner(steps: Sequence[Step], number: int) -> int:
    """The step whose memory a result lies in: its own, unless it is a view."""
    while steps[number].op.is_view:
        number = steps[number].inputs[0]
    return number


def panel_parts(steps: Sequence[Step], number: int) -> list[int] | None:
    """The scans whose row panels, one after the other, are the rows of this weight.

    None where rows of the weight are not rows of stored blocks.
    """
    step = steps[number]
    if isinstance(step.op, ScanBlocks):
        stored = step.op.tensor
        whole = stored.block_numbers[1:] == stored.numbers[1:] and not step.op.tests
        return [number] if whole and stored.grid[0] > 1 else None
    if isinstance(step.op, CoalescePanels | PackWeight):
        return panel_parts(steps, step.inputs[0])
    if isinstance(step.op, ConcatRows):
        parts = [panel_parts(steps, i) for i in step.inputs]
        return None if any(p is None for p in parts) else [s for p in parts for s in p or ()]
    return None


def _panel_reader(steps: Sequence[Step], number: int, readers: set[int]) -> int | None:
    """The step that can take the weight in panels: the only one that reads it, and only once."""
    if len(readers) != 1 or panel_parts(steps, number) is None:
        return None
    (reader,) = readers
    step = steps[reader]
    if step.constant:
        return None
    places = [k for k, i in enumerate(step.inputs) if _reads(steps, i, number)]
    return reader if len(places) == 1 and places[0] in step.op.panelled else None


def _reads(steps: Sequence[Step], number: int, weight: int) -> bool:
    return steps[number].constant and owner(steps, number) == weight


def _making_nbytes(steps: Sequence[Step], number: int) -> int:
    """Bytes held while a constant is made: what it is made from, and the operators' scratch."""
    op = steps[number].op
    if isinstance(op, ScanBlocks):
        return op.stored_nbytes if op.tensor.dtype != op.out.dtype else 0
    nbytes = op.cost({}).scratch
    for i in steps[number].inputs:
        nbytes += _making_nbytes(steps, i)
        if not steps[i].op.is_view:
            nbytes += steps[i].nbytes({})
    return nbytes


def _streamed_nbytes(
    steps: Sequence[Step],
    sizes: Sizes,
    working: Mapping[int, int],
    weights: Sequence[Weight],
    panels: Mapping[int, int],
) -> int:
    """Most bytes of one run that reads its weights ahead, see :mod:`gpudb.exec.weights`."""
    streamed = [w for w in weights if w.nbytes > SMALL_NBYTES and w.number not in panels]
    firsts = sorted({w.first for w in streamed})
    peak = sum(w.nbytes for w in streamed if firsts and w.first == firsts[0])
    for number, nbytes in working.items():
        held = sum(w.nbytes for w in streamed if w.first <= number <= w.last)
        ahead = next((first for first in firsts if first > number), None)
        coming = [w for w in streamed if w.first == ahead]
        held += sum(w.nbytes for w in coming) + max((w.scratch for w in coming), default=0)
        for w in weights:
            if w.number in panels and w.reader == number:
                held += PANELS_HELD * panel_rows_nbytes(steps, w.number, panels[w.number])
                held += steps[number].op.panel_scratch(sizes)
        peak = max(peak, nbytes + held)
    return peak


def panel_rows_nbytes(steps: Sequence[Step], number: int, nbytes: int) -> int:
    """Bytes of the largest panel, of about ``nbytes`` but whole blocks, and of making it."""
    largest = 0
    for scan in panel_parts(steps, number) or ():
        op = steps[scan].op
        assert isinstance(op, ScanBlocks)
        block, stored = op.out.block_nbytes, op.tensor
        made = blocks_in_panel(block, nbytes) * block
        largest = max(largest, made + (made if stored.dtype != op.out.dtype else 0))
    return largest


def blocks_in_panel(block_nbytes: int, panel_nbytes: int) -> int:
    """Blocks that are read at once."""
    return max(1, panel_nbytes // max(1, block_nbytes))
