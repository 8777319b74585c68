"""Run a split statement: its parts, then the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import pyarrow as pa

from gpudb.errors import SqlError
from gpudb.sql.connection import Connection, Parameters
from gpudb.sql.finish import chosen
from gpudb.sql.kept import Kept
from gpudb.sql.parts import PartRunner
from gpudb.sql.plan import Measured
from gpudb.sql.protocols import ModelFunctions
from gpudb.sql.split import Split


class Changed(Exception):
    """DuckDB does not find what it found when the statement was split: split it again."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a split statement gave."""

    table: pa.Table
    """With the names that DuckDB gives its columns."""
    rows: tuple[pa.Schema, ...]
    """What DuckDB found for each part."""
    measured: tuple[Measured, ...]
    """What each step took."""


def run_split(
    connection: Connection,
    models: ModelFunctions,
    split: Split,
    parameters: Parameters,
    kept: Kept | None = None,
) -> Ran:
    """Run a statement.

    Parameters
    ----------
    connection
        Where rows come from.
    models
        What is called.
    split
        The statement.
    parameters
        Its own.
    kept
        What was found when it ran before, for a split that was not made just now.

    Raises
    ------
    Changed
        Something else was found than ``kept`` says. No model has run over it; those of the parts
        before it have.
    """
    runner, found = PartRunner(connection, models, parameters), []
    unread = split.unread if kept else frozenset()
    try:
        for number, part in enumerate(split.parts):
            rows = _found(partial(runner.rows, part), kept and kept.rows[number])
            found.append(rows.schema)
            runner.answer(part, rows, readable=part.into not in unread)
        started = perf_counter()
        if kept and split.columns:
            table = chosen(runner.kept, split.columns, kept.result)
        else:
            rest = partial(connection.query, split.sql, parameters)
            table = _found(rest, kept and kept.result)
    finally:
        runner.close()
    last = Measured(table.num_rows, perf_counter() - started)
    return Ran(table, tuple(found), (*runner.measured, last))


def _found(find: Callable[[], pa.Table], expected: pa.Schema | None) -> pa.Table:
    try:
        table = find()
    except SqlError as error:
        if expected is None:
            raise
        raise Changed from error
    if expected is not None and table.schema != expected:
        raise Changed
    return table
