"""What EXPLAIN tells, as data. Bytes and rows are integers, times seconds, rates per second.

A measured field is None where nothing has run, and where the number would mean nothing (GFLOP/s of
a copy). "All runs" are the batches of one statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

VERSION = 1
"""Of the fields below; raised when one changes its meaning or goes."""


@dataclass(frozen=True, slots=True)
class StepReport:
    """One physical operator."""

    number: int
    operator: str
    detail: str
    inputs: tuple[str, ...]
    """What it reads, in words: ``"#2"``, ``"#2[0:384]"``, the name of a stored tensor."""
    reads: tuple[int, ...]
    """Numbers of the steps among those."""
    result: str
    """Schema of the result."""
    device: str
    note: str
    """Why it is there, or what it falls back to; empty for most."""
    estimated_rows: int | None
    """Before running: batches as full as the memory plan allows for."""
    estimated_blocks: int
    """Before running: no block is missing."""
    rows: int | None = None
    blocks: int | None = None
    pairs: int | None = None
    """Pairs of blocks that a join works on, all runs together (one run before running)."""
    skipped_pairs: int | None = None
    """Pairs that were pruned, or have a block that is not stored."""
    launches: int | None = None
    """GEMMs or kernel calls that the pairs were coalesced into."""
    flops: int | None = None
    """Floating-point operations, counted from shapes; a multiply-add is two."""
    read_nbytes: int | None = None
    written_nbytes: int | None = None
    scratch_nbytes: int | None = None
    """Held while it runs, beside inputs and result; of the largest run."""
    seconds: float | None = None
    """All threads together."""
    share: float | None = None
    """Of the seconds of all steps, 0 to 1."""
    gflops_per_second: float | None = None
    gbytes_per_second: float | None = None
    ceiling_share: float | None = None
    """Of the rate that the roofline allows, 0 to 1."""
    limited_by: str | None = None
    """The ceiling that it meets first: ``"compute"``, ``"memory"``, or ``"cache"`` where what a run
    moves fits one."""


@dataclass(frozen=True, slots=True)
class WeightsReport:
    """Stored tensors that a plan reads when it is prepared."""

    tensors: int
    blocks: int
    stored_nbytes: int
    resident_nbytes: int
    rearranged_nbytes: int
    prepare_seconds: float


@dataclass(frozen=True, slots=True)
class RunReport:
    """All runs of a plan."""

    runs: int
    workers: int
    """Threads that ran them."""
    seconds: float
    """In operators, all threads together."""
    projected_nbytes: int | None
    """Known before running: resident, and the largest possible run on every worker."""
    run_peak_nbytes: int
    """Most that one run held: results while somebody needs them, and declared scratch."""
    peak_nbytes: int
    """Resident, and the largest run on every worker at once. Counted by the executor from the
    arrays it holds; the process holds more (Python, DuckDB, the tokenizer)."""
    precision: str
    """Of products by packed weights; float32 where there are none."""
    gflops_ceiling: float | None
    """Of one worker, in those products; None when it was not measured."""
    gbytes_ceiling: float | None
    ceilings_note: str
    """Why there are no ceilings."""


@dataclass(frozen=True, slots=True)
class PlanText:
    """A plan in words."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class PlanReport:
    """One plan: a model's, or that of a tensor expression."""

    name: str
    into: str
    """What its result is called in the statement; empty outside one."""
    device: str
    notes: tuple[str, ...]
    """Fallbacks and why."""
    texts: tuple[PlanText, ...]
    """Logical plans."""
    weights: WeightsReport | None = None
    """None where only the logical plan is shown."""
    steps: tuple[StepReport, ...] = ()
    run: RunReport | None = None
    counts: Mapping[str, int | float] = field(default_factory=dict)
    """Texts, tokens and times of the run, by name."""
    summary: str = ""
    """The same in a line."""


@dataclass(frozen=True, slots=True)
class PartReport:
    """One part of a split statement."""

    engine: str
    """``"duckdb"``, ``"model"`` or ``"tensors"``."""
    label: str
    into: str
    plan: int | None = None
    """Number of the plan in ``Report.plans``, from 0."""
    rows: int | None = None
    distinct: int | None = None
    """Texts that a model ran over."""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What EXPLAIN tells of a statement, or of a model."""

    title: str
    statement: str = ""
    parts: tuple[PartReport, ...] = ()
    plans: tuple[PlanReport, ...] = ()
    seconds: float | None = None
    """Start to end; None when it has not run."""
    version: int = VERSION
