"""Conditions on the keys of a tensor in an ordinary SELECT: blocks that fail are not computed."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from gpudb.errors import GpudbError
from gpudb.sql.tensors.relation import NotTaken, Relation


def pruned(table: exp.Table, bind: Callable[[exp.Select], Relation]) -> Relation | None:
    """The tensor in FROM with those conditions of WHERE that are about its keys alone.

    DuckDB tests them again; here they only leave out what it would not keep.

    Parameters
    ----------
    table
        The tensor, where it stands.
    bind
        Makes a relation of a query over tensors alone.

    Returns
    -------
    Relation or None
        None where there is no such condition, or where an outer join needs the other rows, too.
    """
    select = table.parent.parent if table.parent is not None else None
    if not isinstance(select, exp.Select) or not (where := select.args.get("where")):
        return None
    joins = [*(select.args.get("joins") or ()), *(table.args.get("joins") or ())]
    if any(join.args.get(part) for join in joins for part in ("side", "method")):
        return None
    source = table.copy()
    source.set("joins", None)
    kept: list[exp.Expr] = []
    relation: Relation | None = None
    parts = where.this.flatten() if isinstance(where.this, exp.And) else [where.this]
    for part in parts:
        if not _about(part, table.alias_or_name, alone=not joins):
            continue
        try:
            conditions = exp.and_(*kept, part, dialect="duckdb")
            found = bind(exp.select("*").from_(source.copy()).where(conditions))
        except (NotTaken, GpudbError):
            continue  # DuckDB's
        if found.block not in {column.name for column in part.find_all(exp.Column)}:
            kept.append(part)
            relation = found
    return relation


def _about(part: exp.Expr, alias: str, *, alone: bool) -> bool:
    """True for a condition whose columns all belong to the tensor."""
    columns = list(part.find_all(exp.Column))
    if not columns or part.find(exp.Query):
        return False
    return all(
        column.table.lower() == alias.lower() or (alone and not column.table) for column in columns
    )
