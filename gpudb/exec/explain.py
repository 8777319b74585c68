"""A prepared plan as text, with what was measured when it has run."""

from __future__ import annotations

from gpudb.exec.graph import Step
from gpudb.exec.operators.read_input import ReadInput
from gpudb.exec.operators.scan_blocks import ScanBlocks
from gpudb.exec.prepared import PreparedPlan
from gpudb.exec.profile import Profile

SHOWN_READS = 3
"""Inputs named in a line: the first weight tells the layer, the rest follow from the operator."""

PLANNED = ("#", "operator", "detail", "reads", "result")
MEASURED = (*PLANNED, "rows", "blocks", "seconds", "share", "GFLOP", "GFLOP/s", "MB", "device")


def explain(plan: PreparedPlan, profile: Profile | None = None) -> str:
    """Text of a physical plan: what is read once, then one line per step.

    Parameters
    ----------
    plan
        The plan.
    profile
        Of its runs; adds rows, blocks, time, operations and bytes to each step.
    """
    steps = {i: step for i, step in enumerate(plan.steps) if _does_work(step)}
    numbers = {i: n for n, i in enumerate(steps, start=1)}
    rows = [_planned(plan, i, step, numbers) for i, step in steps.items()]
    if profile is None or not profile.runs:
        return "\n".join([*_resident(plan), *_align((PLANNED, *rows))])
    total = sum(profile.seconds) or 1.0
    measured = [
        (*row, *_measured(plan, profile, i, step, total))
        for row, (i, step) in zip(rows, steps.items(), strict=True)
    ]
    head = f"{len(profile.runs)} batches, {total:.3f} s in operators (all threads together)"
    return "\n".join([*_resident(plan), head, *_align((MEASURED, *measured))])


def _resident(plan: PreparedPlan) -> list[str]:
    """What was read and arranged when the plan was prepared."""
    scans = [s.op for s in plan.steps if isinstance(s.op, ScanBlocks)]
    copies = [s.op for s in plan.steps if s.constant and not s.op.is_view]
    copied = sum(op.out.nbytes for op in copies if not isinstance(op, ScanBlocks))
    blocks = sum(scan.out.blocks for scan in scans)
    return [
        f"weights: {len(scans)} tensors in {blocks} blocks, "
        f"{sum(scan.tensor.nbytes for scan in scans):,} bytes stored, "
        f"{plan.resident_nbytes:,} resident, {copied:,} of them rearranged; "
        f"prepared in {plan.seconds:.3f} s"
    ]


def _planned(
    plan: PreparedPlan, number: int, step: Step, numbers: dict[int, int]
) -> tuple[str, ...]:
    reads = [_source(plan, i, numbers) for i in step.inputs]
    shown = ", ".join(reads[:SHOWN_READS]) + (", …" if len(reads) > SHOWN_READS else "")
    name = type(step.op).__name__
    return (str(numbers[number]), name, step.op.detail(), shown, str(step.op.out))


def _does_work(step: Step) -> bool:
    """False for what was done when the plan was prepared, for inputs and for views."""
    return not (step.constant or step.op.is_view or isinstance(step.op, ReadInput))


def _source(plan: PreparedPlan, number: int, numbers: dict[int, int]) -> str:
    step = plan.steps[number]
    if number in numbers:
        return f"#{numbers[number]}"
    if step.constant:
        return _weight(plan, number)
    if isinstance(step.op, ReadInput):
        return step.op.out.name
    return f"{_source(plan, step.inputs[0], numbers)}[{step.op.detail()}]"


def _weight(plan: PreparedPlan, number: int) -> str:
    step = plan.steps[number]
    if isinstance(step.op, ScanBlocks):
        return step.op.tensor.name
    names = [_weight(plan, i) for i in step.inputs]
    return names[0] if len(names) == 1 else f"{names[0]} ∪ {len(names) - 1} more"


def _measured(
    plan: PreparedPlan, profile: Profile, number: int, step: Step, total: float
) -> tuple[str, ...]:
    cost = profile.cost(step)
    seconds = profile.seconds[number]
    rate = cost.flops / seconds / 1e9 if seconds and cost.flops else 0.0
    return (
        f"{profile.rows(step):,}",
        f"{len(plan.joined[number].keys) * len(profile.runs):,}",
        f"{seconds:.4f}",
        f"{seconds / total:.1%}",
        f"{cost.flops / 1e9:.3f}" if cost.flops else "-",
        f"{rate:.1f}" if rate else "-",
        f"{(cost.read + cost.written) / 1e6:.1f}",
        plan.backend.name,
    )


def _align(rows: tuple[tuple[str, ...], ...]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if 0 < i < len(PLANNED) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
