"""A report of a small encoder that has run, with texts that must be escaped."""

from __future__ import annotations

from gpudb.exec.profile import Profile
from gpudb.exec.report import Setting, report_plan
from gpudb.machine import Ceilings, Rates
from gpudb.report import PartReport, PlanText, Report
from tests.tiny_plans import bert_encoder, prepared

HOSTILE = "</svg><script>alert('x')</script> & \"quotes\" é \u2028"
CEILINGS = Ceilings(
    {"numpy float32": Rates(100.0, 160.0)},
    {1 << 11: Rates(40.0, 80.0), 1 << 30: Rates(20.0, 30.0)},
    2,
    "2026-01-01T00:00:00",
)


def measured(ceilings: Ceilings | None = CEILINGS, runs: int = 2):
    """A small BERT in blocks of 3×5, run twice: its report, its plan and its profile."""
    encoder = bert_encoder([3, 1, 5], (3, 5))
    plan, profile = prepared(encoder.plan, encoder.arrays), Profile()
    for _ in range(runs):
        plan.run(encoder.inputs, encoder.sizes, profile)
    setting = Setting(encoder.sizes, workers=2, projected_nbytes=10**6, ceilings=ceilings)
    notes = ("auto -> numpy: no CUDA backend in this version",)
    texts = (PlanText(f"logical {HOSTILE}", HOSTILE),)
    told = report_plan(
        plan, "tiny@1", setting, profile, into="v", notes=notes, texts=texts,
        counts={"tokens": 18, "seconds": 0.5}, summary="18 tokens",
    )  # fmt: skip
    return told, plan, profile


def whole(plan) -> Report:
    parts = (
        PartReport("duckdb", f"DuckDB  r = SELECT {HOSTILE}", "r", rows=3, seconds=0.25),
        PartReport("model", "model   v = tiny", "v", 0, 3, 2, 0.75),
    )
    return Report("EXPLAIN ANALYZE", f"SELECT {HOSTILE}", parts, (plan,), 1.0)
