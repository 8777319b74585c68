"""The parts of a split statement: rows from DuckDB, and a model over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

import pyarrow as pa
from sqlglot import exp

from gpudb.errors import SqlError
from gpudb.sql.answers import Answers
from gpudb.sql.calls import Call
from gpudb.sql.connection import Connection, Parameters
from gpudb.sql.plan import Infer, Measured, Rows, Step
from gpudb.sql.protocols import ModelFunctions


@dataclass(frozen=True, slots=True)
class Asked:
    """A call over the rows of a part."""

    call: Call
    columns: tuple[str, ...]
    """Of its texts."""
    answers: str
    """The column of its answers."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that DuckDB finds, and the models that run over them.

    What is kept of it is the table ``into``: the rows, and the answers beside them. Of a constant,
    whose texts need no table, the answers alone are kept.
    """

    sql: str
    """What finds the rows."""
    into: str
    columns: tuple[str, ...]
    """Of the rows."""
    asked: tuple[Asked, ...]
    is_constant: bool = False

    @property
    def steps(self) -> Iterator[Step]:
        """What EXPLAIN shows of it."""
        if not self.is_constant:
            yield Rows(self.sql, self.into)
        for asked in self.asked:
            call, into = asked.call, f"{self.into}.{asked.answers}"
            yield Infer(call.function.name, call.model, call.shown, into, str(call.options))


class PartRunner:
    """Runs the parts of one statement, one after the other: later ones read what earlier ones kept.

    Parameters
    ----------
    connection
        Where rows come from.
    models
        What is called.
    parameters
        The statement's.
    dry
        Learn names and types only: no row is read and no model runs.
    """

    def __init__(
        self,
        connection: Connection,
        models: ModelFunctions,
        parameters: Parameters,
        *,
        dry: bool = False,
    ) -> None:
        self._connection = connection
        self._models = models
        self._parameters = parameters
        self._dry = dry
        self._answers = Answers(models)
        self._registered: list[str] = []
        self.kept: dict[str, pa.Table] = {}
        """By name."""
        self.measured: list[Measured] = []
        """What each step took."""

    def rows(self, part: Part) -> pa.Table:
        """What the models of a part run over, with the names that DuckDB gives."""
        started = perf_counter()
        if part.is_constant and (known := _written_out(part, self._parameters)) is not None:
            return known
        sql = f"SELECT * FROM ({part.sql}) LIMIT 0" if self._dry else part.sql
        rows = self._connection.query(sql, self._parameters)
        if not part.is_constant:
            self.measured.append(Measured(rows.num_rows, perf_counter() - started))
        return rows

    def answer(self, part: Part, rows: pa.Table, *, readable: bool = True) -> None:
        """Run the models of a part, and keep what they answer; ``readable`` by DuckDB."""
        columns = dict(zip(part.columns, rows.columns, strict=True))
        answers = {
            asked.answers: self._infer(asked.call, [columns[c] for c in asked.columns])
            for asked in part.asked
        }
        kept = pa.table(answers if part.is_constant else columns | answers)
        self.kept[part.into] = kept
        if readable:
            self._connection.register(part.into, kept)
            self._registered.append(part.into)

    def close(self) -> None:
        """Forget what was kept."""
        for name in self._registered:
            self._connection.unregister(name)

    def _infer(self, call: Call, texts: Sequence[pa.ChunkedArray]) -> pa.Array:
        """Answers for rows of texts; null where a text is."""
        function, model, options = call.function, call.model, call.options
        started = perf_counter()
        reads = self._models.reads(model)
        columns = [
            _as_read(c, reads, call, text) for c, text in zip(texts, call.texts, strict=True)
        ]
        computed, counts = 0, None
        if self._dry:
            answers = self._answers.nulls(function, model, len(columns[0]), options)
        else:
            answers, computed, counts = self._answers.of(function, model, columns, options)
        seconds = perf_counter() - started
        self.measured.append(Measured(len(answers), seconds, computed, counts))
        return answers


def _written_out(part: Part, parameters: Parameters) -> pa.Table | None:
    """The texts of a constant that are written in the statement or given with it, without DuckDB.

    None where one must be computed, or is no text.
    """
    (asked,) = part.asked
    values = [_text_of(text, parameters) for text in asked.call.texts]
    texts = [value for value in values if value is not None]
    if len(texts) < len(values):
        return None
    try:
        return pa.table([pa.array([text]) for text in texts], names=list(part.columns))
    except UnicodeEncodeError:  # half of a surrogate pair: DuckDB has its own words for it
        return None


def _text_of(text: exp.Expr, parameters: Parameters) -> str | None:
    if isinstance(text, exp.Placeholder):
        value = parameters.get(text.name)
        return value if type(value) is str else None
    return str(text.this) if isinstance(text, exp.Literal) and text.is_string else None


def _as_read(
    column: pa.ChunkedArray, wanted: pa.DataType, call: Call, text: exp.Expr
) -> pa.ChunkedArray:
    """A column in the type that the model reads."""
    found = column.type
    is_text = pa.types.is_string(found) or pa.types.is_large_string(found)
    is_bytes = pa.types.is_binary(found) or pa.types.is_large_binary(found)
    if pa.types.is_null(found) or (is_bytes if pa.types.is_large_binary(wanted) else is_text):
        return column.cast(wanted)
    shown = f"{call.function.name}('{call.model}', {call.shown})"
    if pa.types.is_large_binary(wanted):
        raise SqlError(
            f"{shown}: the model reads images, found {found}; expected BLOB, the content of image "
            "files: SELECT content FROM read_blob('*.png')"
        )
    raise SqlError(
        f"{shown}: the text is {found}; expected VARCHAR: write CAST({text.sql('duckdb')} AS "
        "VARCHAR)"
    )
