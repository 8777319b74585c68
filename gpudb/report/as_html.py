"""A report as one HTML page that needs nothing else: no script, no link, no picture file.

It is written so that an XML parser reads it too: every element is closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from gpudb.report.as_text import physical_heading
from gpudb.report.columns import COLUMNS, NONE
from gpudb.report.data import PlanReport, Report, StepReport
from gpudb.report.picture import Box, draw

STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; color: #1e293b; margin: 2rem auto; max-width: 1500px;
  padding: 0 1.5rem; }
h1 { font-size: 1.35rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
pre { background: #f1f5f9; padding: .7rem; overflow-x: auto; white-space: pre-wrap; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 12.5px; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .55rem; border-bottom: 1px solid #e2e8f0; white-space: nowrap;
  text-align: left; vertical-align: top; }
th { background: #f8fafc; } .right { text-align: right; }
td.long { white-space: normal; min-width: 14rem; max-width: 26rem; overflow-wrap: anywhere; }
svg text { font-family: system-ui, sans-serif; fill: #1e293b; }
svg .operator { font-size: 13px; font-weight: 600; } svg .detail, svg .share { font-size: 11px; }
svg .box rect { stroke: #64748b; } svg .box rect.bar { fill: #b91c1c; stroke: none; }
svg .edge { fill: none; stroke: #94a3b8; }
"""


def to_html(report: Report) -> str:
    """The page."""
    body = [f"<h1>{escape(report.title)}</h1>"]
    if report.statement:
        body.append(f"<pre>{escape(report.statement)}</pre>")
    if report.seconds is not None:
        body.append(f"<p>{report.seconds:.3f} s from start to end</p>")
    if report.parts:
        body += ["<h2>Split</h2>", *_parts(report)]
    for plan in report.plans:
        body += _plan(plan)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en" xmlns="http://www.w3.org/1999/xhtml">',
            f'<head><meta charset="utf-8"/><title>{escape(report.title)}</title>',
            f"<style>{STYLE}</style></head>",
            "<body>",
            *body,
            "</body></html>",
            "",
        ]
    )


def _parts(report: Report) -> Iterable[str]:
    total = sum(part.seconds or 0.0 for part in report.parts)
    boxes = [
        Box(
            number=number,
            title="DuckDB" if part.engine == "duckdb" else part.engine,
            text=part.label.partition(" ")[2].strip(),
            hover=part.label,
            reads=(number - 1,) if number > 1 else (),
            share=part.seconds / total if part.seconds is not None and total else None,
        )
        for number, part in enumerate(report.parts, start=1)
    ]
    yield draw(boxes, "the parts of the statement, in order")
    head = ["part", "", "rows", "distinct texts", "seconds"]
    rows = [
        [
            str(number),
            part.label,
            _number(part.rows),
            _number(part.distinct),
            NONE if part.seconds is None else f"{part.seconds:.4f}",
        ]
        for number, part in enumerate(report.parts, start=1)
    ]
    yield _table(head, rows, long={1}, right={2, 3, 4})


def _plan(plan: PlanReport) -> Iterable[str]:
    into = f"{plan.into} = " if plan.into else ""
    yield f"<h2>{escape(into + plan.name)}</h2>"
    for text in plan.texts:
        opened = "" if plan.steps else ' open="open"'
        yield (
            f"<details{opened}><summary>{escape(text.title)}</summary><pre>{escape(text.text)}</pre></details>"
        )
    for line in (*physical_heading(plan), plan.summary):
        if line:
            yield f"<p>{escape(line)}</p>"
    if plan.steps:
        label = f"physical plan of {plan.name}"
        yield f'<div class="wide">{draw([_box(s) for s in plan.steps], label)}</div>'
        yield _steps(plan)


def _box(step: StepReport) -> Box:
    took = "" if step.seconds is None else f"{step.seconds * 1e3:,.2f} ms"
    reached = "" if step.ceiling_share is None else f"{step.ceiling_share:.0%} of {step.limited_by}"
    return Box(
        number=step.number,
        title=step.operator,
        text=" · ".join(filter(None, (took, reached, step.detail, step.result))),
        hover="\n".join(
            (f"{step.operator} {step.detail}", *step.inputs, f"→ {step.result}", step.note)
        ).strip(),
        reads=step.reads,
        share=step.share,
    )


def _steps(plan: PlanReport) -> str:
    names = ["#", "operator", "detail", "reads", "result"]
    shown = [c for c in COLUMNS if any(c.text(step) != NONE for step in plan.steps)]
    rows = [
        [
            str(step.number),
            step.operator,
            step.detail,
            ", ".join(step.inputs),
            step.result,
            *(column.text(step) for column in shown),
            step.note,
        ]
        for step in plan.steps
    ]
    head = [*names, *(column.name for column in shown), "note"]
    titles = ["", "", "", "", "", *(column.meaning for column in shown), ""]
    right = {len(names) + i for i, column in enumerate(shown) if column.right} | {0}
    return _table(head, rows, long={3, len(head) - 1}, right=right, titles=titles)


def _table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    long: set[int],
    right: set[int],
    titles: Sequence[str] = (),
) -> str:
    def side(column: int) -> str:
        if column in right:
            return ' class="right"'
        return ' class="long"' if column in long else ""

    hovers = [f' title="{escape(title)}"' if title else "" for title in titles] or [""] * len(head)
    cells = (
        f"<th{side(i)}{hover}>{escape(name)}</th>"
        for i, (name, hover) in enumerate(zip(head, hovers, strict=True))
    )
    lines = [
        "<tr>" + "".join(f"<td{side(i)}>{escape(c)}</td>" for i, c in enumerate(row)) + "</tr>"
        for row in rows
    ]
    return "\n".join(
        [
            '<div class="wide"><table><thead><tr>' + "".join(cells) + "</tr></thead><tbody>",
            *lines,
            "</tbody></table></div>",
        ]
    )


def _number(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"
