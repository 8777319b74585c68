"""The operator that a plan spends most of its time in, and how near its ceiling that is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from gpudb.report.data import StepReport


def limit_text(steps: Sequence[StepReport]) -> str:
    """A line on the operator with the largest share; empty where nothing was measured.

    Steps that do the same, layer after layer, count as one. Their share of the ceiling is that of
    all of them together: the least time that the roofline allows over the time that they took.
    """
    alike: dict[tuple[str, str, str | None], list[StepReport]] = defaultdict(list)
    for step in steps:
        if step.seconds:
            alike[step.operator, step.detail, step.limited_by].append(step)
    if not alike:
        return ""
    (operator, detail, limit), most = max(
        alike.items(), key=lambda item: sum(step.seconds or 0.0 for step in item[1])
    )
    seconds = sum(step.seconds or 0.0 for step in most)
    share = sum(step.share or 0.0 for step in most)
    name = f"{operator} ({detail})" if detail else operator
    times = f", {len(most)} steps" if len(most) > 1 else ""
    least = sum((step.ceiling_share or 0.0) * (step.seconds or 0.0) for step in most)
    reached = f", at {least / seconds:.0%} of its {limit} ceiling" if limit else ""
    return f"limited by {name}{times}: {share:.0%} of the time{reached}"
