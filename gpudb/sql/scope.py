"""One SELECT that calls a model, taken apart: what runs before the model and what after.

Nothing here runs anything; names and types of the source come from a ``Describe`` function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from sqlglot import exp

from gpudb.errors import SqlError, UnsupportedError
from gpudb.sql.calls import called, has_call, has_unnest, in_from, is_aggregated, is_call, varies

Describe: TypeAlias = Callable[[exp.Query], list[tuple[str, str]]]
"""Query -> name and type of its columns; SqlError if it cannot be bound."""

E = TypeVar("E", bound=exp.Expr)

SOURCE_ARGS = ("from_", "joins", "laterals", "sample", "pivots")
"""Parts of a SELECT that say where rows come from."""

_SUBQUERIES = (exp.Subquery, exp.Exists, exp.In)
_STAR_FILTERS = (exp.Like, exp.ILike, exp.Glob, exp.SimilarTo, exp.Not)


class Scope:
    """A SELECT with model calls of its own.

    Parameters
    ----------
    select
        The parsed SELECT, in its place in the statement.
    describe
        Binds a query without running it.
    """

    def __init__(self, select: exp.Select, describe: Describe) -> None:
        self.select = select
        self._describe = describe
        self.ctes = visible_ctes(select)
        _check_stars(select)
        _move_join_conditions(select)
        self.aliases = {
            item.alias.lower(): item.this
            for item in select.expressions
            if isinstance(item, exp.Alias)
        }
        _check_unnest(select)
        has_source = any(select.args.get(arg) for arg in SOURCE_ARGS)
        source = describe(self.source_query([exp.Star()])) if has_source else []
        self.source_columns = [name.lower() for name, _ in source]
        self._tables_read = _tables_read(select)

    def source_query(self, items: list[exp.Expr]) -> exp.Select:
        """A query over the same source, without its conditions."""
        query = exp.Select(expressions=items)
        for arg in SOURCE_ARGS:
            value = self.select.args.get(arg)
            if value:
                copies = [v.copy() for v in value] if isinstance(value, list) else value.copy()
                query.set(arg, copies)
        with_ctes(query, self.ctes)
        return query

    def star_names(self, item: exp.Expr) -> list[str]:
        """Names of the columns that a star item stands for."""
        return [name for name, _ in self._describe(self.source_query([item.copy()]))]

    def output_names(self) -> list[str]:
        """Names of the columns that the SELECT returns."""
        whole = self.select.copy()
        whole.set("with_", None)
        return [name for name, _ in self._describe(with_ctes(whole, self.ctes))]

    def is_source(self, column: exp.Column) -> bool:
        """True for a column of the source, false for the alias of another item."""
        if _is_bound_inside(column):
            return False
        if column.args.get("table") is not None:
            return True
        name = column.name.lower()
        return name in self.source_columns or name not in self.aliases

    def key(self, node: exp.Expr) -> tuple[str, ...]:
        """Equal for a column however it is spelled, and for expressions of equal text."""
        if not isinstance(node, exp.Column) or node.args.get("db"):
            return (node.sql("duckdb"),)
        table, name = node.table.lower(), node.name.lower()
        single = table in self._tables_read and self.source_columns.count(name) == 1
        return ("" if single else table, name)

    def must_pick(self, node: exp.Expr) -> bool:
        """True when a value that depends on GROUP BY keys stands beside aggregates.

        Raises
        ------
        UnsupportedError
            With GROUPING SETS and their like: the value differs between the sets.
        """
        group = self.select.args.get("group")
        if group is None or group.args.get("all") or is_aggregated(node):
            return False
        keys = [
            # Unlike ORDER BY, GROUP BY means a column of the source before an alias.
            key if isinstance(key, exp.Column) and self.is_source(key) else self._order_key(key)
            for key in group.expressions
        ]
        if any(key is None or has_call(key) for key in keys):
            return False
        if any(isinstance(key, exp.Rollup | exp.Cube | exp.GroupingSets) for key in keys):
            raise UnsupportedError(
                f"{node.sql('duckdb', normalize_functions=False)} beside ROLLUP, CUBE or GROUPING "
                f"SETS: group in a CTE first, and call {called(node)} in a SELECT over it"
            )
        return True

    def expanded(self, node: E) -> E:
        """A copy with aliases of other items replaced by what they stand for."""

        def substitute(n: exp.Expr) -> exp.Expr:
            if isinstance(n, exp.Column) and not self.is_source(n) and not _is_bound_inside(n):
                return exp.paren(self.expanded(self.aliases[n.name.lower()]))
            return n

        expanded: E = node.transform(substitute)  # type: ignore[assignment]
        return expanded

    def conditions(self) -> tuple[list[exp.Expr], list[exp.Expr]]:
        """Conjuncts of WHERE: those for before the model, and those that need its results."""
        where = self.select.args.get("where")
        conjuncts: list[exp.Expr] = []
        if where is not None:
            both = isinstance(where.this, exp.And)
            conjuncts = list(where.this.flatten()) if both else [where.this]
        before, after = [], []
        for conjunct in conjuncts:
            full = self.expanded(conjunct)
            if has_call(full):
                after.append(conjunct.copy())
            else:
                before.append(full)
        return before, after

    def early_limit(self, after: list[exp.Expr]) -> dict[str, exp.Expr] | None:
        """ORDER BY, LIMIT and OFFSET for before the model; None where they must wait."""
        select = self.select
        blockers = ("group", "having", "qualify", "distinct", "windows")
        if after or not select.args.get("limit") or any(select.args.get(b) for b in blockers):
            return None
        if any(_reshapes_rows(i, select) for i in select.expressions) or self._aggregates():
            return None
        parts = {a: select.args[a].copy() for a in ("limit", "offset") if select.args.get(a)}
        order = select.args.get("order")
        if order is None:
            return parts
        keys = []
        for ordered in order.expressions:
            key = self._order_key(ordered.this)
            if key is None or has_call(key):
                return None
            moved = ordered.copy()
            moved.set("this", key)
            keys.append(moved)
        return {"order": exp.Order(expressions=keys), **parts}

    def _aggregates(self) -> bool:
        """True for aggregates among the items, even in a macro: no column can stand beside them."""
        if not self.source_columns:
            return True
        items = [*(i.copy() for i in self.select.expressions), exp.Star()]
        try:
            self._describe(self.source_query(items))
        except SqlError:
            return True
        return False

    def is_correlated(self, query: exp.Expr) -> bool:
        """True for a subquery that cannot be bound by itself."""
        inner = query.unnest() if isinstance(query, exp.Subquery) else query
        assert isinstance(inner, exp.Query)  # callers pass queries
        try:
            self._describe(with_ctes(inner.copy(), self.ctes))
        except SqlError:
            return True
        return False

    def after_model(self, node: E, replace: Callable[[exp.Expr], exp.Expr]) -> E:
        """A copy for after the model: ``replace`` is given each call, source column and
        correlated subquery, and returns what stands for it there.
        """

        def visit(n: exp.Expr) -> exp.Expr:
            if n.find_ancestor(exp.Query) is not None:
                return n  # inside an uncorrelated subquery, which stays as it is
            if is_call(n):
                return replace(n)
            if isinstance(n, exp.Column) and self.is_source(n):
                return replace(n)
            if isinstance(n, _SUBQUERIES) and self._has_correlated_query(n):
                return replace(n)
            return n

        visited: E = node.transform(visit)  # type: ignore[assignment]
        return visited

    def _has_correlated_query(self, node: exp.Expr) -> bool:
        query = node.args.get("query") if isinstance(node, exp.In) else node
        if isinstance(node, exp.Exists):
            query = node.this
        return isinstance(query, exp.Query) and self.is_correlated(query)

    def _order_key(self, key: exp.Expr) -> exp.Expr | None:
        """What an ORDER BY key stands for, over the source; None if that cannot be told."""
        items = self.select.expressions
        if isinstance(key, exp.Literal) and key.is_int:
            position = int(key.this)
            if any(is_star(i) for i in items) or not 1 <= position <= len(items):
                return None
            item: exp.Expr = items[position - 1].unalias()
            return None if varies(item) else self.expanded(item)
        if isinstance(key, exp.Column) and not key.table and key.name.lower() in self.aliases:
            stands_for: exp.Expr = self.aliases[key.name.lower()]
            return None if varies(stands_for) else self.expanded(stands_for)
        if isinstance(key, exp.Var) or key.name.upper() == "ALL":
            return None
        return self.expanded(key)


def visible_ctes(select: exp.Select) -> exp.With | None:
    """The CTEs that a SELECT can read, inner ones hiding outer ones of the same name."""
    path = [select, *_ancestors(select)]
    found: dict[str, exp.Expr] = {}
    recursive = False
    for ancestor in reversed(path):
        with_ = ancestor.args.get("with_")
        if not isinstance(with_, exp.With):
            continue
        recursive = recursive or bool(with_.args.get("recursive"))
        for cte in with_.expressions:
            if any(cte is p for p in path):
                _check_not_recursive(cte, with_)
                break
            found.pop(cte.alias.lower(), None)
            found[cte.alias.lower()] = cte
    if not found:
        return None
    return exp.With(expressions=[c.copy() for c in found.values()], recursive=recursive)


def with_ctes(query: exp.Query, ctes: exp.With | None) -> exp.Query:
    """``query`` with CTEs before its own; changed in place."""
    if ctes is not None:
        own = query.args.get("with_")
        expressions = [*(c.copy() for c in ctes.expressions), *(own.expressions if own else [])]
        recursive = ctes.args.get("recursive") or (own is not None and own.args.get("recursive"))
        query.set("with_", exp.With(expressions=expressions, recursive=recursive))
    return query


def is_star(item: exp.Expr) -> bool:
    """True for an item that stands for any number of columns."""
    while isinstance(item, _STAR_FILTERS):
        item = item.this
    return isinstance(item, exp.Star | exp.Columns) or (
        isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
    )


def _is_bound_inside(column: exp.Column) -> bool:
    """True for the variable of a list comprehension, or a field of it."""
    variable = (column.table or column.name).lower()
    around = column.find_ancestor(exp.Comprehension)
    while around is not None:
        if around.expression.name.lower() == variable:
            return True
        around = around.find_ancestor(exp.Comprehension)
    return False


def _ancestors(node: exp.Expr) -> list[exp.Expr]:
    found = []
    while node.parent is not None:
        node = node.parent
        found.append(node)
    return found


def _check_not_recursive(cte: exp.Expr, with_: exp.With) -> None:
    reads_itself = any(t.name.lower() == cte.alias.lower() for t in cte.find_all(exp.Table))
    if with_.args.get("recursive") and reads_itself:
        raise UnsupportedError(
            f"{called(cte)} in the recursive CTE {cte.alias!r}: the rows that reach the model are "
            f"not known before it runs; call {called(cte)} in a SELECT over the finished CTE"
        )


def _check_stars(select: exp.Select) -> None:
    for item in select.expressions:
        if (is_star(item) and has_call(item)) or (not is_star(item) and item.find(exp.Columns)):
            raise UnsupportedError(
                f"{item.sql('duckdb')}: a star with a function around or inside it, beside "
                f"{called(select)}; "
                "name the columns"
            )
    source = [select.args.get("from_"), *(j.this for j in select.args.get("joins") or [])]
    for part in source:
        for n in part.find_all(exp.Anonymous) if part is not None else ():
            if is_call(n) and n.find_ancestor(exp.Select) is select:
                raise in_from(n.name.lower())


def _check_unnest(select: exp.Select) -> None:
    """Lists are unnested side by side, so all of them before the model or all of them after."""
    items = [item.copy() for item in select.expressions]
    calls = [n for item in items for n in item.find_all(exp.Anonymous) if is_call(n)]
    inside = any(has_unnest(call) for call in calls)
    for call in calls:
        if call.parent is not None:
            call.replace(exp.null())
    if inside and any(has_unnest(item) for item in items if not is_call(item)):
        raise UnsupportedError(
            f"unnest inside {called(select)} beside another unnest; unnest in a CTE, and call "
            f"{called(select)} in a SELECT over it"
        )


def _tables_read(select: exp.Select) -> set[str]:
    """Names of what FROM and JOIN read; none where USING makes one column of two."""
    joins = select.args.get("joins") or []
    if any(j.args.get("using") or j.method for j in joins):
        return set()
    source = [select.args.get("from_"), *joins]
    return {part.this.alias_or_name.lower() for part in source if part is not None}


def _move_join_conditions(select: exp.Select) -> None:
    """A model call in ON of an inner join is a condition like any other of WHERE."""
    for join in select.args.get("joins") or []:
        on = join.args.get("on")
        if not has_call(on):
            continue
        if join.side or join.kind not in ("", "INNER"):
            raise UnsupportedError(
                f"{called(on)} in ON of a {join.side or join.kind} JOIN; compute it in a CTE on "
                "each side first, and join those"
            )
        join.set("on", exp.true())
        select.where(on.copy(), copy=False)


def _reshapes_rows(item: exp.Expr, select: exp.Select) -> bool:
    """True for an item that makes fewer or more rows than the source has."""
    return has_unnest(item) or any(
        n.find_ancestor(exp.Select) is select for n in item.find_all(exp.Window)
    )
