"""ORDER BY, LIMIT and DISTINCT around a SELECT over tensors: DuckDB's, over its result."""

from __future__ import annotations

from sqlglot import exp

from gpudb.sql.tensors.relation import BLOCK

AROUND = ("order", "limit", "offset", "distinct")
"""Parts of a SELECT that act on its rows when all are there."""


def core_of(select: exp.Select) -> exp.Select | None:
    """The SELECT without those parts; None where it has none, or they cannot act later."""
    if not any(select.args.get(part) for part in AROUND):
        return None
    distinct = select.args.get("distinct")
    if isinstance(distinct, exp.Distinct) and distinct.args.get("on"):
        return None
    order = select.args.get("order")
    if order and any(_returned(select, c) is None for c in order.find_all(exp.Column)):
        return None
    core = select.copy()
    for part in AROUND:
        core.set(part, None)
    return core


def over_core(select: exp.Select, table: str) -> None:
    """Let the SELECT read the table in which the result of its core lies."""
    order = select.args.get("order")
    for column in list(order.find_all(exp.Column)) if order else ():
        column.replace(exp.column(_returned(select, column) or column.name, quoted=True))
    for part in [*select.args]:
        if part not in AROUND:
            select.set(part, None)
    select.set("expressions", [exp.Star()])
    select.set("from_", exp.From(this=exp.Table(this=exp.to_identifier(table, quoted=True))))


def _returned(select: exp.Select, column: exp.Column) -> str | None:
    """The column of the result that one in ORDER BY stands for; None if there is none."""
    name, stars = column.name.lower(), any(item.is_star for item in select.expressions)
    if not column.table:
        returned = {(item.alias_or_name or BLOCK).lower() for item in select.expressions}
        if stars or name in returned:
            return str(column.name)
    for item in select.expressions:
        bare = item.unalias()
        same = isinstance(bare, exp.Column) and bare.name.lower() == name
        if same and bare.table.lower() in ("", column.table.lower()):
            return str(item.alias_or_name)
    return str(column.name) if stars else None
