"""A report as JSON, and back. Keys are the fields of :mod:`gpudb.report.data`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

from gpudb.errors import InputError
from gpudb.report.data import (
    VERSION,
    PartReport,
    PlanReport,
    PlanText,
    Report,
    RunReport,
    StepReport,
    WeightsReport,
)

T = TypeVar("T")


def to_json(report: Report) -> str:
    """JSON text, two blanks to a level."""
    return json.dumps(asdict(report), indent=2, ensure_ascii=False, allow_nan=False)


def from_json(text: str) -> Report:
    """The report that :func:`to_json` wrote.

    Raises
    ------
    InputError
        It is no report, or of another version.
    """
    try:
        content = json.loads(text)
        if content["version"] != VERSION:
            raise InputError(
                f"the report has version {content['version']!r}; this gpudb reads {VERSION}"
            )
        parts = tuple(_record(PartReport, p) for p in content["parts"])
        plans = tuple(_plan(p) for p in content["plans"])
        return _record(Report, {**content, "parts": parts, "plans": plans})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"this is no report of EXPLAIN (FORMAT JSON): {error!r}") from error


def _plan(content: Mapping[str, Any]) -> PlanReport:
    weights, run = content["weights"], content["run"]
    read = {
        "notes": tuple(content["notes"]),
        "texts": tuple(_record(PlanText, t) for t in content["texts"]),
        "weights": None if weights is None else _record(WeightsReport, weights),
        "run": None if run is None else _record(RunReport, run),
        "steps": tuple(
            _record(StepReport, {**s, "inputs": tuple(s["inputs"]), "reads": tuple(s["reads"])})
            for s in content["steps"]
        ),
    }
    return _record(PlanReport, {**content, **read})


def _record(kind: type[T], content: Mapping[str, Any]) -> T:
    expected = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    if set(content) != expected:
        found = sorted(set(content) ^ expected)
        raise ValueError(f"{kind.__name__}: missing or unknown: {', '.join(found)}")
    return kind(**content)
