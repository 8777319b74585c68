"""An encoder's plans as a report, with what a run measured."""

from __future__ import annotations

from itertools import pairwise

from gpudb.exec.report import Setting, report_plan
from gpudb.machine import read_ceilings
from gpudb.models.encoder import POOLED, Encoder
from gpudb.models.fitting import fullest_sizes
from gpudb.models.statistics import InferStatistics
from gpudb.plan.blockwise import blockwise
from gpudb.plan.explain import explain
from gpudb.plan.rules import optimize
from gpudb.report import PlanReport, PlanText

EXAMPLE = (0, 20, 32)
"""The sequences that a relational plan is shown for: it depends on which blocks share one."""


def stored_text(encoder: Encoder, plan: str) -> PlanText:
    """A plan as it was imported, before any rule."""
    return PlanText(
        f"logical plan of {_named(encoder, plan)}, as stored", explain(encoder.plan(plan))
    )


def relational_text(encoder: Encoder, plan: str, block: int) -> PlanText:
    """A plan as joins, aggregates and maps over blocks, for a batch of two sequences."""
    lengths = " and ".join(str(b - a) for a, b in pairwise(EXAMPLE))
    return PlanText(
        f"relational plan of {_named(encoder, plan)} over {block}×{block} blocks, "
        f"for two sequences of {lengths} rows",
        explain(blockwise(encoder.plan(plan), EXAMPLE, block)),
    )


def optimized_text(encoder: Encoder, plan: str) -> PlanText:
    """The logical plan that is lowered to operators."""
    rules = ", ".join(rule.__name__ for rule in encoder.rules)
    return PlanText(
        f"logical plan of {_named(encoder, plan)}, after the rules {rules}",
        explain(optimize(encoder.plan(plan), encoder.rules)),
    )


def _named(encoder: Encoder, plan: str) -> str:
    label = encoder.version.label
    return label if plan == POOLED else f"{label} ({plan})"


def report_encoder(
    encoder: Encoder,
    plan: str,
    statistics: InferStatistics | None,
    *,
    into: str,
    notes: tuple[str, ...],
    texts: tuple[PlanText, ...],
) -> PlanReport:
    """Report on an encoder's physical plan; see :func:`gpudb.exec.report.report_plan`."""
    if statistics is None:
        most = encoder.limits.token_budget
        longest = min(most, encoder.function.max_tokens or most)
        placement, budget = encoder.fit(plan, longest, most)
        setting = Setting(fullest_sizes(budget, longest), placement.runs)
        return report_plan(
            encoder.placed(plan, placement),
            encoder.version.label,
            setting,
            into=into,
            notes=notes,
            texts=texts,
        )
    s = statistics
    longest = max((sizes["longest"] for sizes in s.profile.runs), default=0)
    ceilings, why = read_ceilings()
    setting = Setting(
        sizes=fullest_sizes(s.token_budget, longest),
        workers=1 if s.shared > 1 else max(1, min(s.threads, s.batches)),
        blas_threads=s.shared,
        projected_nbytes=s.resident_nbytes + s.projected_nbytes,
        ceilings=ceilings,
        ceilings_note=why,
    )
    return report_plan(
        s.plan,
        encoder.version.label,
        setting,
        s.profile,
        into=into,
        notes=(*notes, *_smaller(encoder, s)),
        texts=texts,
        counts=_counts(s),
        summary=_summary(s),
    )


def _smaller(encoder: Encoder, s: InferStatistics) -> list[str]:
    """What memory_limit made smaller than it was asked to be."""
    limits = encoder.limits
    notes = []
    if s.threads < limits.threads:
        notes.append(f"{limits.threads} -> {s.threads} threads: memory_limit")
    if s.token_budget < s.wanted_budget:
        wanted = f"batches of {s.wanted_budget:,} -> {s.token_budget:,} tokens"
        notes.append(f"{wanted}: memory_limit")
    return notes


def _counts(s: InferStatistics) -> dict[str, int | float]:
    return {
        "texts": s.texts,
        "distinct_texts": s.distinct_texts,
        "tokens": s.tokens,
        "padded_tokens": s.padded_tokens,
        "batches": s.batches,
        "token_budget": s.token_budget,
        "threads": s.threads,
        "shared": s.shared,
        "seconds": s.seconds,
        "tokenize_seconds": s.tokenize_seconds,
        "prepare_seconds": s.prepare_seconds,
        "tokens_per_second": s.tokens_per_second,
        "flops": s.flops,
    }


def _summary(s: InferStatistics) -> str:
    return (
        f"{s.distinct_texts:,} distinct texts, {s.tokens:,} tokens, {s.padded_tokens} padded, "
        f"{s.batches} batches of at most {s.token_budget:,} tokens on {s.threads} threads"
        f"{f', shared by {s.shared}' if s.shared > 1 else ''}; "
        f"{s.seconds:.3f} s ({s.tokenize_seconds:.3f} s tokenising); "
        f"{s.tokens_per_second:,.0f} tokens/s; "
        f"{s.resident_nbytes + s.projected_nbytes:,} bytes projected at most"
    )
