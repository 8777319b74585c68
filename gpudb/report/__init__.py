"""What EXPLAIN tells, as data, and that data as text, JSON and an HTML page."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gpudb.report.as_html import to_html
from gpudb.report.as_json import from_json, to_json
from gpudb.report.as_text import to_text
from gpudb.report.data import (
    PartReport,
    PlanReport,
    PlanText,
    Report,
    RunReport,
    StepReport,
    WeightsReport,
)

RENDERERS: Mapping[str, Callable[[Report], str]] = {
    "text": to_text,
    "json": to_json,
    "html": to_html,
}
"""Name of a format -> what makes it."""

__all__ = [
    "RENDERERS",
    "PartReport",
    "PlanReport",
    "PlanText",
    "Report",
    "RunReport",
    "StepReport",
    "WeightsReport",
    "from_json",
    "to_html",
    "to_json",
    "to_text",
]
