"""The numbers of a step, in the order and units that tables show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gpudb.report.data import StepReport

NONE = "-"
ESTIMATED = "est. "
"""Names of estimates start so, and go on as the name of the measured column."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table of steps."""

    name: str
    meaning: str
    text: Callable[[StepReport], str]
    """A step's cell; ``NONE`` where there is no number."""
    measured: bool = True
    """True when there is something to show only after a run."""
    right: bool = True


def _count(number: int | None) -> str:
    return NONE if number is None else f"{number:,}"


def _number(number: float | None, form: str, unit: float = 1) -> str:
    return NONE if number is None else format(number / unit, form)


def _ceiling(step: StepReport) -> str:
    if step.ceiling_share is None:
        return NONE
    return f"{step.ceiling_share:.0%} {step.limited_by}"


def _moved(step: StepReport) -> int | None:
    if step.read_nbytes is None or step.written_nbytes is None:
        return None
    return step.read_nbytes + step.written_nbytes


COLUMNS = (
    Column(
        ESTIMATED + "rows",
        "rows of the result that were planned for",
        lambda s: _count(s.estimated_rows),
        False,
    ),
    Column("rows", "rows of the result", lambda s: _count(s.rows)),
    Column(
        ESTIMATED + "blocks",
        "blocks of the result if none is missing",
        lambda s: _count(s.estimated_blocks),
        False,
    ),
    Column("blocks", "blocks of the result", lambda s: _count(s.blocks)),
    Column("pairs", "pairs of blocks joined", lambda s: _count(s.pairs), False),
    Column(
        "skipped",
        "pairs left out: pruned, or a block is not stored",
        lambda s: _count(s.skipped_pairs or None),
        False,
    ),
    Column(
        "calls",
        "GEMMs or kernel calls the pairs were coalesced into",
        lambda s: _count(s.launches),
        False,
    ),
    Column("seconds", "time, all threads together", lambda s: _number(s.seconds, ".4f")),
    Column("share", "of the time of all steps", lambda s: _number(s.share, ".1%")),
    Column("GFLOP", "floating-point operations", lambda s: _number(s.flops or None, ",.3f", 1e9)),
    Column("GFLOP/s", "operations a second", lambda s: _number(s.gflops_per_second, ",.1f")),
    Column("MB", "bytes read and written at least", lambda s: _number(_moved(s), ",.1f", 1e6)),
    Column(
        "GB/s", "bytes read and written a second", lambda s: _number(s.gbytes_per_second, ",.1f")
    ),
    Column(
        "of ceiling",
        "reached, of what the roofline allows, and the ceiling that is met first",
        _ceiling,
    ),
)
