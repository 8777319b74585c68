"""``gpudb.blocks`` has a column ``block``, which is read only for the rows that a query needs.

DuckDB finds these rows first, from the same FROM and WHERE without the conditions on the blocks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pyarrow as pa
import sqlglot
from sqlglot import exp

from gpudb.errors import SqlError
from gpudb.sql.connection import Connection, Parameters
from gpudb.sql.protocols import TensorFunctions
from gpudb.sql.tensors.relation import BLOCK

_MAY_READ = re.compile(r"\bblocks\b.*\bblock\b|\bblock\b.*\bblocks\b", re.IGNORECASE | re.DOTALL)
_NAME = ("model", "version", "tensor", "number")


def may_read(text: str) -> bool:
    """False when a statement surely reads no block of ``gpudb.blocks``."""
    return "gpudb" in text.lower() and _MAY_READ.search(text) is not None


def uses(tree: exp.Expr) -> Iterator[tuple[exp.Select, exp.Table]]:
    """Each SELECT that names a ``block`` of ``gpudb.blocks`` in its FROM, and that table."""
    for table in list(tree.find_all(exp.Table)):
        select = table.find_ancestor(exp.Select)
        ours = table.db.lower() == "gpudb" and table.name.lower() == "blocks"
        if ours and select is not None and any(_blocks(select, select, table)):
            yield select, table


def read(
    select: exp.Select,
    table: exp.Table,
    tensors: TensorFunctions,
    connection: Connection,
    parameters: Parameters,
    name: str,
    keep: Callable[[str, pa.Table], None],
    *,
    dry: bool,
) -> None:
    """Read the blocks a SELECT needs, and let it find them beside the other columns.

    Parameters
    ----------
    select, table
        From :func:`uses`.
    tensors, connection, parameters
        What reads blocks, what finds rows, values of parameters.
    name
        For the table of blocks.
    keep
        Takes that table.
    dry
        Read nothing: the table has no rows.

    Raises
    ------
    SqlError
        A block in the condition of a join.
    """
    joins = [*(select.args.get("joins") or ()), *(table.args.get("joins") or ())]
    if any(any(_blocks(join, select, table)) for join in joins):
        raise SqlError(
            f"{table.alias_or_name}.{BLOCK} in ON: which blocks are read depends on the join; "
            "write that condition in WHERE"
        )
    needed = _needed(select, table)
    if dry:
        needed.set("where", exp.Where(this=exp.false()))
    rows = connection.query(needed.sql("duckdb"), parameters)
    wanted = zip(*(rows.column(column).to_pylist() for column in _NAME), strict=True)
    lists = tensors.block_lists(list(wanted))
    keep(name, pa.table({"gpudb_row": rows.column("gpudb_row"), BLOCK: lists}))
    beside: exp.Expr = sqlglot.parse_one(
        f'SELECT listed.*, beside.{BLOCK} FROM gpudb.blocks AS listed LEFT JOIN "{name}" AS beside '
        "ON listed.rowid = beside.gpudb_row",
        read="duckdb",
    )
    alias = exp.TableAlias(this=exp.to_identifier(table.alias_or_name))
    subquery = exp.Subquery(this=beside, alias=alias)
    if table.args.get("joins"):
        subquery.set("joins", table.args["joins"])
    table.replace(subquery)


def _needed(select: exp.Select, table: exp.Table) -> exp.Select:
    """Which rows of ``gpudb.blocks`` pass everything that can be told without blocks."""
    alias = table.alias_or_name
    columns = [exp.column(c, table=alias) for c in _NAME]
    row = exp.alias_(exp.column("rowid", table=alias), "gpudb_row")
    needed = exp.Select(expressions=[row, *columns], distinct=exp.Distinct())
    for part in ("from_", "joins"):
        if given := select.args.get(part):
            copies = [g.copy() for g in given] if isinstance(given, list) else given.copy()
            needed.set(part, copies)
    there = exp.Not(this=exp.Is(this=exp.column("rowid", table=alias), expression=exp.Null()))
    conditions: list[exp.Expr] = [there]
    if where := select.args.get("where"):
        parts = where.this.flatten() if isinstance(where.this, exp.And) else [where.this]
        conditions += [p.copy() for p in parts if not any(_blocks(p, select, table))]
    needed.set("where", exp.Where(this=exp.and_(*conditions)))
    defined = [cte for around in _around(select) for cte in around.expressions]
    if defined:
        needed.set("with_", exp.With(expressions=[cte.copy() for cte in defined]))
    return needed


def _around(select: exp.Select) -> list[exp.With]:
    """The WITH clauses whose names a SELECT may use, outer ones first."""
    found: list[exp.With] = []
    node: exp.Expr | None = select
    while node is not None:
        with_ = node.args.get("with_")
        if isinstance(with_, exp.With) and select.find_ancestor(exp.With) is not with_:
            found.insert(0, with_)
        node = node.parent
    return found


def _blocks(node: exp.Expr, select: exp.Select, table: exp.Table) -> Iterator[exp.Column]:
    """The columns below a node that are blocks of the table."""
    alone = not select.args.get("joins") and not table.args.get("joins")
    for column in node.find_all(exp.Column):
        if column.name.lower() != BLOCK or column.find_ancestor(exp.Select) is not select:
            continue
        if column.table.lower() == table.alias_or_name.lower() or (alone and not column.table):
            yield column
