"""Fused or relational: which form of a plan is expected to take less time.

The keys of both forms are joined, and no block is read, so that the estimate knows how many pairs
of blocks really meet.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpudb.backend import open_backend
from gpudb.exec.operator import Source
from gpudb.exec.prepared import PreparedPlan, join_keys
from gpudb.lower import lower
from gpudb.plan.node import Node
from gpudb.plan.rules import RELATIONAL, RULES, Rule, optimize

FLOPS_PER_SECOND = 200e9
"""Of one large matrix product."""
BYTES_PER_SECOND = 10e9
"""Read or written one after the other."""
GATHERED_BYTES_PER_SECOND = 4e9
"""Blocks of joined pairs, laid side by side for a batched product and read again by it."""
SECONDS_PER_PAIR = 3e-6
"""What a small product costs beside its FLOPs and bytes.

The four were fitted to bench/bench_execution.py (float32, panels and square blocks of 64 and 256,
1 to 4096 pairs) on two cores of a current server processor: the first to the product in one block,
the third to panels, the last to blocks of 64. The choice depends on their ratios only."""

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
    ghost = join_keys(lower(optimize(plan, rules)), open_backend("null"), source)
    return sum(_seconds(ghost, number) for number in range(len(ghost.steps)))


def _seconds(plan: PreparedPlan, number: int) -> float:
    op, joined = plan.steps[number].op, plan.joined[number]
    cost, pairing = op.cost({}), joined.pairing
    if pairing is not None:
        cost = cost.of_share(pairing.share)
    seconds = cost.flops / FLOPS_PER_SECOND + (cost.read + cost.written) / BYTES_PER_SECOND
    if pairing is None or not joined.rows:  # nothing is gathered: its blocks lie as they meet
        return seconds
    gathered = pairing.pairs * sum(child.out.block_nbytes for child in op.children)
    return seconds + gathered / GATHERED_BYTES_PER_SECOND + pairing.pairs * SECONDS_PER_PAIR
