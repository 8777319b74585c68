"""Fused or relational: which form of a plan is expected to take less time.

Both forms are prepared on the null backend, which joins keys and reads no block, so that the
estimate knows how many pairs of blocks really meet.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpudb.backend import open_backend
from gpudb.exec.operator import Source
from gpudb.exec.prepared import PreparedPlan, prepare
from gpudb.lower import lower
from gpudb.plan.node import Node
from gpudb.plan.rules import RELATIONAL, RULES, Rule, optimize

FLOPS_PER_SECOND = 100e9
BYTES_PER_SECOND = 10e9
SECONDS_PER_PAIR = 1.5e-6
"""What a pair of blocks costs in a batched product beside its FLOPs: bench/bench_blocks.py, small
blocks. Only the ratios of the three decide; they are those of one core of a current server."""

FORMS: dict[str, tuple[Rule, ...]] = {"fused": RULES, "relational": RELATIONAL}


@dataclass(frozen=True, slots=True)
class Choice:
    """How a plan will run."""

    execution: str
    """``fused`` or ``relational``."""
    reason: str

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules that lead to this form."""
        return FORMS[self.execution]


def choose_execution(plan: Node, source: Source, execution: str) -> Choice:
    """The form asked for; for ``auto`` the one with the smaller estimate, fused if they tie."""
    if execution != "auto":
        return Choice(execution, f"execution is set to {execution}")
    seconds = {form: estimated_seconds(plan, source, rules) for form, rules in FORMS.items()}
    chosen = min(seconds, key=lambda form: seconds[form])
    estimates = ", ".join(f"{form} {taken * 1e3:.3g} ms" for form, taken in seconds.items())
    return Choice(chosen, f"estimated {estimates}")


def estimated_seconds(plan: Node, source: Source, rules: tuple[Rule, ...]) -> float:
    """Time of one run, stored tensors read and arranged included."""
    ghost = prepare(lower(optimize(plan, rules)), open_backend("null"), source)
    return sum(_seconds(ghost, number) for number in range(len(ghost.steps)))


def _seconds(plan: PreparedPlan, number: int) -> float:
    cost = plan.steps[number].op.cost({})
    pairing = plan.joined[number].pairing
    met = pairing.pairs / max(1, pairing.pairs + pairing.skipped) if pairing else 1.0
    moved = (cost.read + cost.written) / BYTES_PER_SECOND
    pairs = pairing.pairs * SECONDS_PER_PAIR if pairing else 0.0
    return met * (cost.flops / FLOPS_PER_SECOND + moved) + pairs
