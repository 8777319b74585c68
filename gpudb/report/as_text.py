"""A report as text, for a terminal: columns that say nothing are left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gpudb.report.columns import COLUMNS, ESTIMATED, NONE, Column
from gpudb.report.data import PartReport, PlanReport, Report, RunReport, WeightsReport
from gpudb.report.limit import limit_text

SHOWN_READS = 3
"""Inputs named in a line: the first weight tells the layer, the rest follow from the operator."""
SHOWN_READS_MEASURED = 2
WIDEST = 34
"""Characters of a detail."""
NARROW = 24
"""Characters of what is read, beside numbers."""


def to_text(report: Report) -> str:
    """The parts of a statement, then each plan: logical, physical, and what was measured."""
    sections = []
    if report.parts:
        sections.append("\n".join(["split", *map(_part, report.parts)]))
    for plan in report.plans:
        heading = [f"{plan.into} = {plan.name}"] if plan.into else []
        sections.append("\n".join([*heading, *_plan(plan)]))
    return "\n\n".join(sections)


def _part(part: PartReport) -> str:
    if part.rows is None or part.seconds is None:
        return part.label
    distinct = f", {part.distinct:,} distinct" if part.distinct is not None else ""
    return f"{part.label}  -- {part.rows:,} rows{distinct}, {part.seconds:.3f} s"


def _plan(plan: PlanReport) -> list[str]:
    lines = []
    for text in plan.texts:
        lines += [text.title, text.text, ""]
    lines += [*physical_heading(plan), *(_steps(plan) if plan.steps else ())]
    if plan.summary:
        lines += ["", plan.summary]
    return lines if lines[-1:] != [""] else lines[:-1]


def physical_heading(plan: PlanReport) -> list[str]:
    """What is said of a physical plan as a whole; nothing where only a logical one is shown."""
    if plan.weights is None:
        return []
    return [
        f"physical plan of {plan.name} on {plan.device}",
        *(f"note: {note}" for note in plan.notes),
        _weights(plan.weights),
        *(_run(plan.run) if plan.run is not None else ()),
        *filter(None, [limit_text(plan.steps)]),
    ]


def _weights(weights: WeightsReport) -> str:
    return (
        f"weights: {weights.tensors} tensors in {weights.blocks} blocks, "
        f"{weights.stored_nbytes:,} bytes stored, {weights.resident_nbytes:,} resident, "
        f"{weights.rearranged_nbytes:,} of them rearranged; "
        f"prepared in {weights.prepare_seconds:.3f} s"
    )


def _run(run: RunReport) -> list[str]:
    projected = "" if run.projected_nbytes is None else f", {run.projected_nbytes:,} projected"
    ceilings = run.ceilings_note
    if run.gflops_ceiling is not None and run.gbytes_ceiling is not None:
        ceilings = (
            f"ceilings of one worker: {run.gflops_ceiling:.1f} GFLOP/s ({run.precision} "
            f"products), {run.gbytes_ceiling:.1f} GB/s (memory)"
        )
    return [
        f"{run.runs} batches, {run.seconds:.3f} s in operators (all threads together)",
        f"memory: {run.peak_nbytes:,} bytes at most{projected}; "
        f"{run.run_peak_nbytes:,} of one batch on each of {run.workers} threads",
        *([ceilings] if ceilings else []),
    ]


def _steps(plan: PlanReport) -> list[str]:
    measured = plan.run is not None
    reads = SHOWN_READS_MEASURED if measured else SHOWN_READS
    names = [
        ("#", [str(s.number) for s in plan.steps], True),
        ("operator", [s.operator for s in plan.steps], False),
        ("detail", [shortened(s.detail, WIDEST) for s in plan.steps], False),
        ("reads", [_reads(s.inputs, reads, measured) for s in plan.steps], False),
        ("result", [_result(s.result, measured) for s in plan.steps], False),
    ]
    numbers = [_column(column, plan) for column in COLUMNS if column.measured <= measured]
    if measured:
        numbers = _without_exact_estimates(numbers)
    shown = [c for c in (*names, *numbers) if any(cell not in ("", NONE) for cell in c[1])]
    return [*_align(shown), *_notes(plan)]


def _notes(plan: PlanReport) -> list[str]:
    """Each note once, with the steps that it is about."""
    about: dict[str, list[str]] = {}
    for step in plan.steps:
        if step.note:
            about.setdefault(step.note, []).append(f"#{step.number}")
    return [f"note: {note}: {', '.join(steps)}" for note, steps in about.items()]


def _result(schema: str, narrow: bool) -> str:
    """A schema; where there is little room, without blocks and the usual dtype."""
    return schema.partition(" in ")[0].removesuffix(" float32") if narrow else schema


def _without_exact_estimates(
    columns: Sequence[tuple[str, list[str], bool]],
) -> list[tuple[str, list[str], bool]]:
    """Columns without estimates that all came true."""
    actual = {name: cells for name, cells, _ in columns}
    return [
        (name, cells, right)
        for name, cells, right in columns
        if not name.startswith(ESTIMATED) or cells != actual[name.removeprefix(ESTIMATED)]
    ]


def _column(column: Column, plan: PlanReport) -> tuple[str, list[str], bool]:
    return column.name, [column.text(step) for step in plan.steps], column.right


def _reads(inputs: Sequence[str], count: int, narrow: bool) -> str:
    shorten: Callable[[str], str] = _last_words if narrow else lambda name: name
    named = ", ".join(map(shorten, inputs[:count])) + (", …" if len(inputs) > count else "")
    return shortened(named, NARROW) if narrow else named


def _last_words(name: str) -> str:
    """The last two words of a dotted name, which tell it from other weights of its layer."""
    dotted, union, more = name.partition(" ∪ ")
    words = dotted.split(".")
    return ("…" + ".".join(words[-2:]) if len(words) > 2 else dotted) + union + more


def shortened(text: str, width: int) -> str:
    """Text of at most ``width`` characters."""
    return text if len(text) <= width else text[: width - 1] + "…"


def _align(columns: Sequence[tuple[str, list[str], bool]]) -> list[str]:
    padded = []
    for name, cells, right in columns:
        width = max(map(len, (name, *cells)))
        padded.append([c.rjust(width) if right else c.ljust(width) for c in (name, *cells)])
    return ["  ".join(row).rstrip() for row in zip(*padded, strict=True)]
