"""Statements that change stored tables or tensors: CREATE, INSERT and DROP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa
from sqlglot import exp

from gpudb.errors import SqlError, UnsupportedError
from gpudb.sql.connection import Connection, Parameters
from gpudb.sql.plan import SqlResult, SqlStatistics, told
from gpudb.sql.protocols import TableStore
from gpudb.sql.scope import with_ctes
from gpudb.sql.statements import parse
from gpudb.sql.tensors import ddl
from gpudb.sql.tensors.door import TensorDoor

NOTHING = pa.table({})

Runner: TypeAlias = Callable[[exp.Expr, str, Parameters], SqlResult]
"""Runs a statement that may read tensors or call models."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The statements, over the tables and tensors of one database."""

    tables: TableStore
    tensors: TensorDoor
    connection: Connection
    run: Runner
    plain: Callable[[str, Parameters], SqlResult]
    """DuckDB runs the user's own text."""

    def create(self, text: str, parameters: Parameters) -> SqlResult:
        """CREATE TABLE … AS, CREATE TENSOR … AS."""
        tree = parse(text)
        query = _as_query(tree)
        if (tensor := ddl.target(tree.this)) is not None:
            return self.tensors.create(tensor, tree, parameters)
        if not isinstance(tree, exp.Create) or not isinstance(query, exp.Query):
            raise UnsupportedError(
                "CREATE TABLE with columns is not supported: stored tables do not change, so an "
                "empty one is of no use; write CREATE TABLE … AS SELECT …"
            )
        if tree.find(exp.WithDataProperty):
            raise UnsupportedError("CREATE TABLE … WITH [NO] DATA: write LIMIT 0 for no rows")
        name = _table_name(tree.this)
        exists = bool(tree.args.get("exists"))
        if exists and name.lower() in (n.lower() for n in self.tables.views()):
            return empty_result()
        result = self._query(query, parameters)
        self.tables.create(
            name, result.table, replace=bool(tree.args.get("replace")), if_not_exists=exists
        )
        return SqlResult(NOTHING, result.tell, result.stats)

    def insert(self, text: str, parameters: Parameters) -> SqlResult:
        """INSERT INTO a table or a tensor."""
        tree = parse(text)
        query = _as_query(tree)
        if not isinstance(tree, exp.Insert) or not isinstance(query, exp.Query):
            raise UnsupportedError(f"{text[:60]!r}…: write INSERT INTO t SELECT … or VALUES …")
        if any(tree.args.get(k) for k in ("alternative", "conflict", "returning", "overwrite")):
            raise UnsupportedError(
                f"{text[:60]!r}…: stored tables have no keys, and INSERT returns nothing; write "
                "INSERT INTO t SELECT … or VALUES …"
            )
        with_ctes(query, tree.args.get("with_"))
        target, columns = tree.this, None
        if isinstance(target, exp.Schema):
            columns = [c.name for c in target.expressions]
            target = target.this
        name = _table_name(target)
        if self.connection.is_temporary(name):
            return self.run(tree, text, parameters)
        if self.tensors.is_tensor(name):
            result = self._query(query, parameters)
            by_name = result.table.column_names if tree.args.get("by_name") else None
            self.tensors.insert(name, result.table, columns or by_name)
            return SqlResult(NOTHING, result.tell, result.stats)
        schema = self.tables.schema(name)
        result = self._query(query, parameters)
        given = columns or (result.table.column_names if tree.args.get("by_name") else schema.names)
        rows = self._in_columns(name, schema, result.table, given)
        self.tables.insert(name, rows)
        return SqlResult(NOTHING, result.tell, result.stats)

    def _in_columns(
        self, name: str, schema: pa.Schema, rows: pa.Table, given: list[str]
    ) -> pa.Table:
        """Rows in the columns and types of a table; columns that are not given are null."""
        known = {n.lower(): n for n in schema.names}
        names = {g.lower() for g in given}
        if not len(names) == len(given) == rows.num_columns or not names <= known.keys():
            raise SqlError(
                f"INSERT INTO {name}: found {rows.num_columns} columns for {', '.join(given)}; "
                f"the table has {', '.join(schema.names)}"
            )
        by_name = {known[g.lower()]: rows.column(i) for i, g in enumerate(given)}
        try:
            columns = [
                by_name[f.name].cast(f.type) if f.name in by_name else pa.nulls(len(rows), f.type)
                for f in schema
            ]
        except pa.ArrowException as error:
            raise SqlError(
                f"INSERT INTO {name}: the values do not fit the column types ({error}); "
                f"columns are {', '.join(f'{f.name} {f.type}' for f in schema)}"
            ) from error
        return pa.Table.from_arrays(columns, schema=schema)

    def drop(self, text: str, parameters: Parameters) -> SqlResult:
        """DROP of a table or a tensor."""
        tree = parse(text)
        tables: list[exp.Expr] = tree.args.get("tables") or []
        if len(tables) != 1:
            return self.plain(text, parameters)  # DuckDB's error
        if (tensor := ddl.target(tables[0])) is not None:
            self.tensors.drop(tensor, if_exists=bool(tree.args.get("exists")))
            return empty_result()
        name = _table_name(tables[0])
        stored = name.lower() in (n.lower() for n in self.tables.views())
        if not stored or self.connection.is_temporary(name):
            return self.plain(text, parameters)  # a temporary one, or an error that DuckDB tells
        if tree.args.get("kind") == "VIEW":
            raise UnsupportedError(f"{name} is a table; write DROP TABLE {name}")
        self.tables.drop(name)
        return empty_result()

    def _query(self, query: exp.Query, parameters: Parameters) -> SqlResult:
        """Run the query inside a statement."""
        sql = query.sql("duckdb")
        return self.run(query, sql, parameters)


def _as_query(tree: exp.Expr) -> object:
    """What a statement puts into a table."""
    query = tree.args.get("expression")
    if isinstance(query, exp.Values):
        return exp.select("*").from_(exp.Subquery(this=query))
    return query


def _table_name(table: exp.Expr) -> str:
    if not isinstance(table, exp.Table) or table.args.get("db"):
        raise UnsupportedError(
            f"{table.sql('duckdb')}: tables have no schema or column list here; write the name "
            "alone, and the columns in the SELECT"
        )
    return table.name


def empty_result() -> SqlResult:
    """Of a statement that has done its work without a row."""
    return SqlResult(NOTHING, told(""), SqlStatistics((), 0.0))
