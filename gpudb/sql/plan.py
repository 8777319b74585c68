"""How a statement is split between DuckDB and the models, and what each part took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from gpudb.report import Report
from gpudb.sql.protocols import ModelCounts


@dataclass(frozen=True, slots=True)
class Rows:
    """DuckDB finds the rows that reach a model: filters, joins and limits have acted."""

    sql: str
    into: str
    """Name of the intermediate table."""

    def label(self) -> str:
        """One line for EXPLAIN."""
        return f"DuckDB  {self.into} = {self.sql}"


@dataclass(frozen=True, slots=True)
class Infer:
    """A model runs over the distinct texts of a column, or rows of columns."""

    function: str
    model: str
    text: str
    """The expressions that give the texts."""
    into: str
    options: str = ""
    """Of the call, for people."""

    def label(self) -> str:
        """One line for EXPLAIN."""
        options = f", {self.options}" if self.options else ""
        asked = f"{self.function} of {self.model}"
        return f"model   {self.into} = {asked} over distinct {self.text}{options}"


@dataclass(frozen=True, slots=True)
class Compute:
    """A plan over stored tensors gives blocks."""

    sql: str
    """The part of the statement that it stands for."""
    into: str

    def label(self) -> str:
        """One line for EXPLAIN."""
        return f"tensors {self.into} = {self.sql}"


@dataclass(frozen=True, slots=True)
class Finish:
    """DuckDB does the rest."""

    sql: str

    def label(self) -> str:
        """One line for EXPLAIN."""
        return f"DuckDB  {self.sql}"


Step: TypeAlias = Rows | Infer | Compute | Finish


@dataclass(frozen=True, slots=True)
class Measured:
    """What a step took."""

    rows: int
    """Rows of its result."""
    seconds: float
    distinct: int | None = None
    """Texts that a model ran over: distinct, and not seen before in the statement."""
    counts: ModelCounts | None = None
    """The model's own statistics."""


@dataclass(frozen=True, slots=True)
class SqlStatistics:
    """What a statement took."""

    steps: tuple[Measured, ...]
    """In the order of the plan's steps."""
    seconds: float

    @property
    def models(self) -> tuple[ModelCounts, ...]:
        """Statistics of every model run."""
        return tuple(m.counts for m in self.steps if m.counts is not None)

    @property
    def texts(self) -> int:
        """Rows that reached a model."""
        return sum(m.rows for m in self.steps if m.distinct is not None)

    @property
    def distinct_texts(self) -> int:
        """Texts the models ran over."""
        return sum(m.distinct or 0 for m in self.steps)

    @property
    def tokens(self) -> int:
        """Tokens of those."""
        return sum(counts.tokens for counts in self.models)

    @property
    def padded_tokens(self) -> int:
        """Rows that models computed beyond the tokens."""
        return sum(counts.padded_tokens for counts in self.models)

    @property
    def flops(self) -> int:
        """Floating-point operations of the models."""
        return sum(counts.flops for counts in self.models)

    @property
    def peak_nbytes(self) -> int:
        """Most bytes of arrays that a model held at once; models of a statement take turns."""
        return max((counts.peak_nbytes for counts in self.models), default=0)

    @property
    def texts_per_second(self) -> float:
        """Rows with a vector per second of the whole statement."""
        return self.texts / self.seconds if self.seconds else 0.0

    @property
    def tokens_per_second(self) -> float:
        """Tokens computed per second of the whole statement."""
        return self.tokens / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class SqlPlan:
    """The steps of one statement, in order."""

    steps: tuple[Step, ...]

    def text(self, measured: SqlStatistics | None = None) -> str:
        """One line per step, with what it took when that is given."""
        lines = [step.label() for step in self.steps]
        if measured is not None:
            lines = [
                f"{line}  -- {_took(took)}"
                for line, took in zip(lines, measured.steps, strict=True)
            ]
        return "\n".join(lines)


Tell: TypeAlias = Callable[[], tuple[str, Report | None]]
"""How a statement ran: text for people, and data, for statements that call a model or read tensors.
Called when somebody asks."""


def told(text: str, report: Report | None = None) -> Tell:
    """What is known already."""
    return lambda: (text, report)


@dataclass(frozen=True, slots=True)
class SqlResult:
    """Rows, how they came about, and what that took."""

    table: pa.Table
    tell: Tell
    stats: SqlStatistics

    @property
    def text(self) -> str:
        """The plan, for people."""
        return self.tell()[0]

    @property
    def report(self) -> Report | None:
        """The plan as data."""
        return self.tell()[1]


def _took(took: Measured) -> str:
    distinct = f", {took.distinct:,} distinct" if took.distinct is not None else ""
    return f"{took.rows:,} rows{distinct}, {took.seconds:.3f} s"
