"""A prepared plan as a report, with what was measured when it has run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gpudb.exec.graph import Step
from gpudb.exec.missing import key_grid
from gpudb.exec.operator import Pairing
from gpudb.exec.operators.contract_blocks import ContractBlocks
from gpudb.exec.operators.dense_gemm import DenseGemm
from gpudb.exec.operators.linear_gemm import LinearGemm
from gpudb.exec.operators.read_input import ReadInput
from gpudb.exec.operators.reblock_grid import ReblockGrid
from gpudb.exec.operators.scan_blocks import ScanBlocks
from gpudb.exec.prepared import PreparedPlan
from gpudb.exec.profile import Profile
from gpudb.exec.roofline import Roofline, plan_precision, roofline, step_precision
from gpudb.machine import NOT_MEASURED, Ceilings
from gpudb.report import PlanReport, PlanText, RunReport, StepReport, WeightsReport
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True)
class Setting:
    """How a plan runs, or ran: what its report compares with."""

    sizes: Sizes
    """Named extents of the largest run that is planned for."""
    workers: int = 1
    """Threads that run it at once."""
    blas_threads: int = 1
    """Threads of one matrix product."""
    projected_nbytes: int | None = None
    """Known before running: resident, and the largest possible run on every worker."""
    ceilings: Ceilings | None = None
    ceilings_note: str = NOT_MEASURED


def report_plan(
    plan: PreparedPlan,
    name: str,
    setting: Setting,
    profile: Profile | None = None,
    *,
    into: str = "",
    notes: tuple[str, ...] = (),
    texts: tuple[PlanText, ...] = (),
    counts: Mapping[str, int | float] | None = None,
    summary: str = "",
) -> PlanReport:
    """Report on a physical plan: what is read once, then each step.

    Parameters
    ----------
    plan
        The plan.
    name
        What to call it.
    setting
        How it runs.
    profile
        Of its runs; adds rows, time, operations and bytes to each step.
    into, notes, texts, counts, summary
        Passed on, see :class:`PlanReport`; notes on reblocked tensors are added.
    """
    steps = {i: step for i, step in enumerate(plan.steps) if _does_work(step)}
    numbers = {i: n for n, i in enumerate(steps, start=1)}
    measured = profile is not None and bool(profile.runs)
    run = _run(plan, setting, profile, steps) if profile is not None and measured else None
    roof, _ = _roofline(plan, setting)
    return PlanReport(
        name=name,
        into=into,
        device=plan.backend.name,
        notes=(*notes, *filter(None, [plan.placement.note]), *_reblocked(plan)),
        texts=texts,
        weights=_weights(plan),
        steps=tuple(
            _measured(plan, i, planned, profile, run, roof)
            if profile is not None and run is not None
            else planned
            for i, planned in ((i, _planned(plan, i, numbers, setting.sizes)) for i in steps)
        ),
        run=run,
        counts=counts or {},
        summary=summary,
    )


def _weights(plan: PreparedPlan) -> WeightsReport:
    """What was read and arranged when the plan was prepared."""
    scans = [s.op for s in plan.steps if isinstance(s.op, ScanBlocks)]
    copies = [s.op for s in plan.steps if s.constant and not s.op.is_view]
    return WeightsReport(
        tensors=len(scans),
        blocks=sum(scan.out.blocks for scan in scans),
        stored_nbytes=sum(scan.stored_nbytes for scan in scans),
        resident_nbytes=plan.resident_nbytes,
        rearranged_nbytes=sum(op.out.nbytes for op in copies if not isinstance(op, ScanBlocks)),
        prepare_seconds=plan.seconds,
    )


def _reblocked(plan: PreparedPlan) -> list[str]:
    cut = [s.op.out for s in plan.steps if s.constant and isinstance(s.op, ReblockGrid)]
    if not cut:
        return []
    return [
        f"{len(cut)} stored tensors cut again when the plan was prepared "
        f"({sum(out.nbytes for out in cut):,} bytes): their operators need other blocks than "
        "the stored ones"
    ]


def _does_work(step: Step) -> bool:
    """False for what was done when the plan was prepared, for inputs and for views."""
    return not (step.constant or step.op.is_view or isinstance(step.op, ReadInput))


def _planned(
    plan: PreparedPlan, number: int, numbers: Mapping[int, int], sizes: Sizes
) -> StepReport:
    step = plan.steps[number]
    extent = step.op.out.shape[0]
    blocks = 1
    for along in key_grid(step.op.out):
        blocks *= along
    pairing = _pairing(plan, number)
    return StepReport(
        number=numbers[number],
        operator=type(step.op).__name__,
        detail=step.op.detail(),
        inputs=tuple(_source(plan, i, numbers) for i in step.inputs),
        reads=tuple(dict.fromkeys(n for i in step.inputs if (n := _working(plan, i, numbers)))),
        result=str(step.op.out),
        device=plan.backend.name,
        note=_note(plan, number, numbers),
        estimated_rows=extent if isinstance(extent, int) else sizes.get(extent),
        estimated_blocks=blocks,
        pairs=pairing.pairs if pairing else None,
        skipped_pairs=pairing.skipped + pairing.pruned if pairing else None,
        launches=pairing.launches if pairing else None,
    )


def _pairing(plan: PreparedPlan, number: int) -> Pairing | None:
    """How many pairs of blocks met; panels that were coalesced count as the blocks they are."""
    step, joined = plan.steps[number], plan.joined[number]
    if joined.pairing is not None:
        return joined.pairing
    if isinstance(step.op, DenseGemm | LinearGemm):
        return Pairing(_stored_blocks(plan, step.inputs[0]) * _stored_blocks(plan, step.inputs[1]))
    return None


def _stored_blocks(plan: PreparedPlan, number: int) -> int:
    """Blocks that one block was put together from; 1 for what a run computes."""
    step = plan.steps[number]
    if not step.constant or not step.inputs:
        return len(plan.joined[number].keys) if step.constant else 1
    return sum(_stored_blocks(plan, i) for i in step.inputs)


def _note(plan: PreparedPlan, number: int, numbers: Mapping[int, int]) -> str:
    op = plan.steps[number].op
    notes = []
    if isinstance(op, ReblockGrid):
        notes.append("inserted because the step that reads it needs other blocks")
    if isinstance(op, ContractBlocks):
        notes.append("block by block because a side is not one block")
    filled = [
        f"{_source(plan, i, numbers)}: {(rows < 0).sum()} of {len(rows)} blocks"
        for i, rows in zip(plan.steps[number].inputs, plan.fills.get(number, ()), strict=False)
        if rows is not None
    ]
    if filled:
        notes.append(f"zeros filled in: {', '.join(filled)}")
    return "; ".join(notes)


def _source(plan: PreparedPlan, number: int, numbers: Mapping[int, int]) -> str:
    step = plan.steps[number]
    if number in numbers:
        return f"#{numbers[number]}"
    if step.constant:
        return _weight(plan, number)
    if isinstance(step.op, ReadInput):
        return step.op.out.name
    return f"{_source(plan, step.inputs[0], numbers)}[{step.op.detail()}]"


def _working(plan: PreparedPlan, number: int, numbers: Mapping[int, int]) -> int | None:
    """Number of the step that computes what is read, through any views; None if none does."""
    step = plan.steps[number]
    if number in numbers or step.constant or isinstance(step.op, ReadInput):
        return numbers.get(number)
    return _working(plan, step.inputs[0], numbers)


def _weight(plan: PreparedPlan, number: int) -> str:
    step = plan.steps[number]
    if not step.inputs:
        return step.op.out.name
    names = [_weight(plan, i) for i in step.inputs]
    return names[0] if len(names) == 1 else f"{names[0]} ∪ {len(names) - 1} more"


def _run(plan: PreparedPlan, setting: Setting, profile: Profile, steps: Iterable[int]) -> RunReport:
    roof, note = _roofline(plan, setting)
    return RunReport(
        runs=len(profile.runs),
        workers=setting.workers,
        seconds=sum(profile.seconds[i] for i in steps),
        projected_nbytes=setting.projected_nbytes,
        run_peak_nbytes=profile.peak_nbytes,
        peak_nbytes=plan.resident_nbytes
        + min(setting.workers, len(profile.runs)) * profile.peak_nbytes,
        precision=plan_precision(plan) or "float32",
        gflops_ceiling=roof.gflops if roof else None,
        gbytes_ceiling=roof.gbytes if roof else None,
        ceilings_note=note,
    )


def _roofline(plan: PreparedPlan, setting: Setting) -> tuple[Roofline | None, str]:
    """The ceilings to compare with, or why there are none."""
    backend = plan.backend
    if not backend.computes:
        return None, f"no ceilings: device {backend.name} computes nothing"
    if setting.ceilings is None:
        return None, setting.ceilings_note
    roof = roofline(plan, setting.ceilings, setting.workers, setting.blas_threads)
    if roof is None:
        return None, f"{NOT_MEASURED} (device {backend.name} was not there, or cannot be)"
    return roof, ""


def _measured(
    plan: PreparedPlan,
    number: int,
    planned: StepReport,
    profile: Profile,
    run: RunReport,
    roof: Roofline | None,
) -> StepReport:
    cost, seconds, runs = profile.costs[number], profile.seconds[number], run.runs
    moved = cost.read + cost.written
    least, limit = (
        roof.least_seconds(cost, runs, step_precision(plan, number)) if roof else (0.0, None)
    )

    def times(count: int | None) -> int | None:
        return None if count is None else count * runs

    return replace(
        planned,
        estimated_rows=times(planned.estimated_rows),
        estimated_blocks=planned.estimated_blocks * runs,
        rows=profile.rows(plan.steps[number]),
        blocks=len(plan.joined[number].keys) * runs,
        pairs=times(planned.pairs),
        skipped_pairs=times(planned.skipped_pairs),
        launches=times(planned.launches),
        flops=cost.flops,
        read_nbytes=cost.read,
        written_nbytes=cost.written,
        scratch_nbytes=cost.scratch,
        seconds=seconds,
        share=seconds / run.seconds if run.seconds else 0.0,
        gflops_per_second=cost.flops / seconds / 1e9 if seconds and cost.flops else None,
        gbytes_per_second=moved / seconds / 1e9 if seconds and moved else None,
        ceiling_share=least / seconds if seconds and least else None,
        limited_by=limit if least else None,
    )
