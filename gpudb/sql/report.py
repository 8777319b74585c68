"""How a statement was split, as a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gpudb.report import PartReport, PlanReport, Report
from gpudb.sql.plan import Infer, Rows, SqlPlan, SqlStatistics, Step
from gpudb.sql.protocols import ModelFunctions, Reporter


def later_report(
    models: ModelFunctions, plan: SqlPlan, statement: str, stats: SqlStatistics | None
) -> Callable[[], Report]:
    """What makes the report when it is asked for: few ask, and it takes longer than a short text.

    The models are looked up now; they may be dropped by then.
    """
    calls = {(step.function, step.model) for step in plan.steps if isinstance(step, Infer)}
    reporters = {call: models.reporter(*call) for call in calls}
    return lambda: _report(reporters, plan, statement, stats)


def _report(
    reporters: Mapping[tuple[str, str], Reporter],
    plan: SqlPlan,
    statement: str,
    stats: SqlStatistics | None,
) -> Report:
    """The parts of a statement and the plan of each model in it, measured when it has run.

    A model whose vectors were all known already ran nothing, and has no plan here.
    """
    plans: list[PlanReport] = []
    parts = []
    shown: set[tuple[str, str]] = set()
    for number, step in enumerate(plan.steps):
        took = stats.steps[number] if stats is not None else None
        index = None
        if isinstance(step, Infer):
            counts, call = took.counts if took is not None else None, (step.function, step.model)
            if counts is not None or (took is None and call not in shown):
                shown.add(call)
                index = len(plans)
                plans.append(reporters[call](counts, step.into))
        parts.append(
            PartReport(
                engine="model" if isinstance(step, Infer) else "duckdb",
                label=step.label(),
                into=_into(step),
                plan=index,
                rows=took.rows if took is not None else None,
                distinct=took.distinct if took is not None else None,
                seconds=took.seconds if took is not None else None,
            )
        )
    title = "EXPLAIN" if stats is None else "EXPLAIN ANALYZE"
    seconds = None if stats is None else stats.seconds
    return Report(title, statement, tuple(parts), tuple(plans), seconds)


def report_relational(models: ModelFunctions, plan: SqlPlan, statement: str) -> Report:
    """The plans of a statement's models before any rule: joins, aggregates and maps."""
    steps = [step for step in plan.steps if isinstance(step, Infer)]
    first = {(step.function, step.model): step for step in reversed(steps)}
    plans = tuple(
        models.report_relational(s.function, s.model, s.into)
        for s in steps
        if first[s.function, s.model] is s
    )
    return Report("EXPLAIN (RELATIONAL)", statement, (), plans)


def _into(step: Step) -> str:
    return step.into if isinstance(step, Rows | Infer) else ""
