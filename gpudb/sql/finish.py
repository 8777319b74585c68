"""Statements of which nothing is left to do when their models have run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import pyarrow as pa
from sqlglot import exp

KeptColumn: TypeAlias = tuple[str, str]
"""A table that a part keeps, and one of its columns."""


def columns_alone(statement: exp.Expr) -> tuple[KeptColumn, ...]:
    """The columns of a split statement that does nothing but choose them; none for any other.

    They are columns that one part keeps, or constants.
    """
    if not isinstance(statement, exp.Select):
        return ()
    if any(value for arg, value in statement.args.items() if arg not in ("expressions", "from_")):
        return ()
    items = [item.unalias() for item in statement.expressions]
    source = statement.args.get("from_")
    if source is None:
        constants = [_constant(item) for item in items]
        return tuple(c for c in constants if c is not None) if all(constants) else ()
    table = source.this
    if not isinstance(table, exp.Table) or any(v for a, v in table.args.items() if a != "this"):
        return ()
    if not all(isinstance(item, exp.Column) for item in items):
        return ()
    return tuple((table.name, item.name) for item in items)


def _constant(item: exp.Expr) -> KeptColumn | None:
    """The only column of a subquery over a table."""
    query = item.this if isinstance(item, exp.Subquery) else None
    found = columns_alone(query) if isinstance(query, exp.Select) else ()
    return found[0] if len(found) == 1 else None


def chosen(
    kept: Mapping[str, pa.Table], columns: tuple[KeptColumn, ...], schema: pa.Schema
) -> pa.Table:
    """Columns that parts keep, in the types that DuckDB gives them."""
    arrays = [kept[table].column(column) for table, column in columns]
    return pa.Table.from_arrays(arrays, names=schema.names).cast(schema)
