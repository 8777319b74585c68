"""Run a plan that does not fit: each step in parts, results that are too large in a file.

For plans over stored tensors alone, lowered so that tensors stay in blocks. Stored tensors are read
part by part. A result is kept in memory while there is room, else in a temporary file of the
database folder. Everything is decided from keys and schemas, before anything is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import nvtx

from gpudb.exec.batch import BlockBatch, Keys
from gpudb.exec.graph import Step
from gpudb.exec.operator import Context, Joined, Part, PhysicalOp
from gpudb.exec.operators.read_input import ReadInput
from gpudb.exec.operators.scan_blocks import ScanBlocks
from gpudb.exec.parts import equal_parts, whole_part
from gpudb.exec.placement import Mode, Placement
from gpudb.exec.prepared import NO_SOURCE, PreparedPlan
from gpudb.exec.profile import Profile
from gpudb.exec.spill import (
    BlockReader,
    BlockWriter,
    FileBlocks,
    MemoryBlocks,
    StoredBlocks,
    take_filled,
)
from gpudb.store.cut import join
from gpudb.types import HostArray, TensorSchema

MEMORY_SHARE = 2
"""Results together stay below limit / MEMORY_SHARE of memory; the rest is for the step at work."""

WIDENING = 1.5
"""Bytes held while half types are widened, for each byte of the result, beside it."""


@dataclass(frozen=True, slots=True)
class Stage:
    """How one step runs."""

    parts: tuple[Part, ...]
    in_file: bool
    """Its result goes to a file; that of the last step goes to nobody but the caller."""
    result_nbytes: int
    held_nbytes: int
    """Results in memory while it runs, the dense one included."""
    peak_nbytes: int
    """Most bytes held while it runs: these, and its largest part."""


@dataclass(slots=True)
class Record:
    """Seconds by step, and the most that the parts of one run were counted to hold."""

    seconds: list[float]
    peak_nbytes: int = 0

    def add(self, step: int, seconds: float, nbytes: int) -> None:
        """A part of a step has run."""
        self.seconds[step] += seconds
        self.peak_nbytes = max(self.peak_nbytes, nbytes)


@dataclass(frozen=True, slots=True)
class SpilledPlan:
    """Runs any number of times; each run has files of its own."""

    plan: PreparedPlan
    """The plan with its keys joined, not placed."""
    folder: Path
    stages: Mapping[int, Stage]
    """By step; scans have none, unless the plan is nothing but a scan."""
    whole_nbytes: int
    """What the plan would need without parts."""
    limit: int

    @property
    def schema(self) -> TensorSchema:
        """Of the result."""
        return self.plan.steps[-1].op.out

    @property
    def needed_nbytes(self) -> int:
        """Most bytes a run holds at once."""
        return max(stage.peak_nbytes for stage in self.stages.values())

    @property
    def spilled_nbytes(self) -> int:
        """Bytes of all results that go to files."""
        return sum(s.result_nbytes for s in self.stages.values() if s.in_file)

    @property
    def placement(self) -> Placement:
        """What is planned, for statistics and EXPLAIN; ``refused`` where it does not fit.

        ``"spilled"`` when a result goes to a file, else ``"streamed"``.
        """
        if self.needed_nbytes > self.limit:
            reason = f"resident needs {self.whole_nbytes:,} bytes, in parts {self.needed_nbytes:,}"
            return Placement("refused", 0, self.needed_nbytes, 1, self.limit, reason)
        scans = sum(isinstance(step.op, ScanBlocks) for step in self.plan.steps)
        files = sum(stage.in_file for stage in self.stages.values())
        parts = sum(len(stage.parts) for stage in self.stages.values())
        spilled = f"{files} of {len(self.stages)} results in temporary files " if files else ""
        spilled += f"({self.spilled_nbytes:,} bytes), " if files else ""
        reason = (
            f"{spilled}{scans} stored tensors read part by part, {parts} parts in all, because "
            f"resident needs {self.whole_nbytes:,} of {self.limit:,} bytes"
        )
        mode: Mode = "spilled" if files else "streamed"
        return Placement(mode, 0, self.needed_nbytes, 1, self.limit, reason)

    @property
    def resident_nbytes(self) -> int:
        """Nothing stays between runs."""
        return 0

    @property
    def described(self) -> PreparedPlan:
        """Its steps as a plan to be explained."""
        return replace(self.plan, placement=self.placement)

    def blocks(self, profile: Profile | None = None) -> Iterator[tuple[Keys, HostArray]]:
        """The result part by part, in row-major order: keys ``(n, ndim)``, ``(n, *block)``."""
        results: dict[int, BlockReader] = {}
        record = Record([0.0] * len(self.plan.steps))
        try:
            for number, step in enumerate(self.plan.steps[:-1]):
                results[number] = self._keep(number, results, record)
                for i in step.frees:
                    results.pop(i).close()
            keys = self.plan.joined[-1].keys
            for first, last, blocks in self._compute(len(self.plan.steps) - 1, results, record):
                yield keys[first:last], blocks
                del blocks
            if profile is not None:
                costs = [step.op.cost({}) for step in self.plan.steps]
                profile.add(record.seconds, {}, costs, record.peak_nbytes)
        finally:
            for reader in results.values():
                reader.close()

    def dense(self, profile: Profile | None = None) -> HostArray:
        """The result in one array, without padding."""
        each = (block for _, blocks in self.blocks(profile) for block in blocks)
        return join(self.schema, self.plan.joined[-1].keys, each)

    def batch(self) -> BlockBatch:
        """All blocks of the result, in memory."""
        keys = self.plan.joined[-1].keys
        kept = MemoryBlocks(len(keys), self.schema)
        first = 0
        for _, blocks in self.blocks():
            kept.put(first, blocks)
            first += len(blocks)
            del blocks
        return BlockBatch(keys, kept.take(np.arange(len(keys))))

    def _keep(self, number: int, results: Mapping[int, BlockReader], record: Record) -> BlockReader:
        """Compute a step and keep its result where it was planned to be."""
        op, blocks = self.plan.steps[number].op, len(self.plan.joined[number].keys)
        if isinstance(op, ScanBlocks):
            return self._stored(number)
        in_file = self.stages[number].in_file
        kept: BlockWriter = (
            FileBlocks(self.folder, op.out) if in_file else MemoryBlocks(blocks, op.out)
        )
        try:
            for first, _, made in self._compute(number, results, record):
                kept.put(first, made)
                del made
        except BaseException:
            kept.close()
            raise
        return kept

    def _compute(
        self, number: int, results: Mapping[int, BlockReader], record: Record
    ) -> Iterator[tuple[int, int, HostArray]]:
        """First, last and blocks of each part of a step's result, in order."""
        step, stage = self.plan.steps[number], self.stages[number]
        if isinstance(step.op, ScanBlocks):
            stored = self._stored(number)
            for part in stage.parts:
                yield part.first, part.last, stored.take(np.arange(part.first, part.last))
            return
        ctx = Context(self.plan.backend, NO_SOURCE, {})
        total: HostArray | None = None
        for part, more in _with_next(stage.parts):
            started = perf_counter()
            inputs = self._inputs(number, part, results)
            with nvtx.annotate(type(step.op).__name__, domain="gpudb"):
                made = self.plan.backend.to_host(step.op.run_part(ctx, part.joined, *inputs))
            record.add(number, perf_counter() - started, stage.held_nbytes + part.nbytes)
            del inputs
            total = made if total is None else np.add(total, made, out=total)
            del made
            if not more:
                yield part.first, part.last, total
                total = None

    def _inputs(
        self, number: int, part: Part, results: Mapping[int, BlockReader]
    ) -> list[HostArray]:
        step = self.plan.steps[number]
        fill = self.plan.fills.get(number, (None,) * len(step.inputs))
        return [
            self.plan.backend.to_device(_taken(results[i], rows, there, child.out))
            for i, rows, there, child in zip(
                step.inputs, part.rows, fill, step.op.children, strict=True
            )
        ]

    def _stored(self, number: int) -> StoredBlocks:
        op = self.plan.steps[number].op
        assert isinstance(op, ScanBlocks)
        return StoredBlocks(self.plan.source, op.tensor, self.plan.joined[number].rows[0])


def can_spill(plan: PreparedPlan) -> bool:
    """True for a plan over stored tensors alone, on a device whose arrays hold numbers."""
    return plan.backend.computes and all(
        step.op.out.is_bound and not isinstance(step.op, ReadInput) for step in plan.steps
    )


def plan_spilled(
    plan: PreparedPlan, folder: Path, limit: int, *, whole_nbytes: int, dense: bool
) -> SpilledPlan:
    """Decide how each step is cut and where its result goes.

    Parameters
    ----------
    plan
        For which :func:`can_spill` holds, its keys joined.
    folder
        Where temporary files are made.
    limit
        Most bytes held at once.
    whole_nbytes
        What the plan would need without parts, for the messages.
    dense
        The caller collects the result in one array, which counts, too.
    """
    result = plan.steps[-1].op.out.nbytes if dense else 0

    def within(memory: int) -> SpilledPlan:
        stages = _stages(plan.steps, plan.joined, limit, result, memory)
        return SpilledPlan(plan, folder, stages, whole_nbytes, limit)

    kept = within(max(0, limit - result) // MEMORY_SHARE)
    # With less in memory the steps have more room.
    return kept if kept.needed_nbytes <= limit else within(0)


def _stages(
    steps: Sequence[Step], joined: Sequence[Joined], limit: int, taken: int, memory: int
) -> dict[int, Stage]:
    """How each step runs when results may take ``memory`` bytes, ``taken`` being gone already."""
    stages: dict[int, Stage] = {}
    held: dict[int, int] = {}
    for number, step in enumerate(steps):
        is_last = number == len(steps) - 1
        nbytes = len(joined[number].keys) * step.op.out.block_nbytes
        in_file = False
        if not isinstance(step.op, ScanBlocks) and not is_last:
            in_file = sum(held.values()) + nbytes > memory
            held[number] = 0 if in_file else nbytes
        if number in held or is_last:
            before = taken + sum(held.values())
            room = max(0, limit - before)
            # The caller may still hold a part of the result while the next one is computed.
            parts = _cut(step, joined, number, room // 2 if is_last else room)
            largest = max((_part_nbytes(step.op, part) for part in parts), default=0)
            if is_last:
                longest = max((part.last - part.first for part in parts), default=0)
                largest += longest * step.op.out.block_nbytes
            stages[number] = Stage(tuple(parts), in_file, nbytes, before, before + largest)
        for i in step.frees:
            held.pop(i, None)
    return stages


def _cut(step: Step, joined: Sequence[Joined], number: int, room: int) -> Sequence[Part]:
    op, own = step.op, joined[number]
    if isinstance(op, ScanBlocks):
        each = op.out.block_nbytes
        spans = equal_parts(len(own.keys), int(each * (1 + WIDENING)), room)
        return [Part(a, b, Joined(own.keys[a:b]), (), (b - a) * each) for a, b in spans]
    # Room for widening what is read; where nothing is, parts are a little smaller than they could.
    halves = any(_is_half(child) for child in op.children)
    parts = op.parts(own, int(room / (1 + WIDENING)) if halves else room)
    return parts if parts is not None else [whole_part(op, own, [joined[i] for i in step.inputs])]


def _part_nbytes(op: PhysicalOp, part: Part) -> int:
    """Bytes of a part, widening included."""
    if isinstance(op, ScanBlocks):
        return int(part.nbytes * (1 + WIDENING)) if _is_half(op) else part.nbytes
    widened = (
        int(WIDENING * len(rows) * child.out.block_nbytes)
        for rows, child in zip(part.rows, op.children, strict=True)
        if _is_half(child)
    )
    return part.nbytes + max(widened, default=0)


def _is_half(op: PhysicalOp) -> bool:
    return isinstance(op, ScanBlocks) and op.tensor.dtype != op.out.dtype


def _with_next(parts: Sequence[Part]) -> Iterator[tuple[Part, bool]]:
    """Each part, and whether the next one adds to it."""
    for number, part in enumerate(parts):
        yield part, number + 1 < len(parts) and parts[number + 1].adds


def _taken(
    reader: BlockReader, rows: HostArray, fill: HostArray | None, schema: TensorSchema
) -> HostArray:
    return take_filled(reader, rows if fill is None else fill[rows], schema)
