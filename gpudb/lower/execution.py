"""Fused or relational: which form of a plan is expected to take less time.

The keys of both forms are joined, and no block is read, so that the estimate knows how many pairs
of blocks really meet.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpudb.backend import open_backend
from gpudb.exec.operator import Source
from gpudb.exec.parallel import blas_threads
from gpudb.exec.prepared import PreparedPlan, join_keys
from gpudb.lower import lower
from gpudb.plan.node import Node
from gpudb.plan.rules import RELATIONAL, RULES, Rule, optimize
from gpudb.types import storage_dtype

FLOPS_PER_SECOND = 100e9
"""Of one large float32 product on one thread; more threads are as many times faster, an element of
twice the size takes twice as long."""
BYTES_PER_SECOND = 18e9
"""Read or written one after the other."""
GATHERED_BYTES_PER_SECOND = 7e9
"""Blocks of joined pairs, laid side by side for a batched product and read again by it."""
SECONDS_PER_PAIR = 10e-6
"""What a pair's product costs beside its FLOPs and bytes.

The four were fitted together, by least squares of the relative error, to medians of nine runs of 28
float32 products in row panels in both forms (512 to 1536 rows, 4 and 16 panels, 1 % to all of them
present, a one-thread BLAS, one core of a current server processor); the fit is within 15 % of each.
The choice depends on their ratios only."""

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
    relative_size = storage_dtype(op.out.dtype).itemsize / storage_dtype("float32").itemsize
    multiplied = cost.flops * relative_size / (FLOPS_PER_SECOND * blas_threads())
    seconds = multiplied + (cost.read + cost.written) / BYTES_PER_SECOND
    if pairing is None or not joined.rows:  # nothing is gathered: its blocks lie as they meet
        return seconds
    gathered = pairing.pairs * sum(child.out.block_nbytes for child in op.children)
    return seconds + gathered / GATHERED_BYTES_PER_SECOND + pairing.pairs * SECONDS_PER_PAIR
