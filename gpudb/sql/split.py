"""Split a statement with model calls: DuckDB before, the model, DuckDB after.

For each SELECT that calls a model, innermost first: its rows are computed once and kept in Arrow
(so that random() or a LIMIT without ORDER BY means one thing only), the model runs over the
distinct texts among them, and the rest of the SELECT takes place over rows and vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from gpudb.errors import SqlError, UnsupportedError
from gpudb.sql.calls import Call, CallKey, as_call, called, has_call, is_call, own_calls, scopes
from gpudb.sql.connection import Connection, Parameters
from gpudb.sql.finish import KeptColumn, columns_alone
from gpudb.sql.parts import Asked, Part, PartRunner
from gpudb.sql.plan import Finish, SqlPlan
from gpudb.sql.protocols import ModelFunctions
from gpudb.sql.scope import SOURCE_ARGS, Scope, is_star

ROWS, CONSTANT = "gpudb_rows_", "gpudb_constant_"
"""How the names of intermediate tables begin."""
VECTOR = "vector"
"""The column of a constant's answers."""

OUTER_ARGS = ("group", "having", "qualify", "distinct")
"""Parts of a SELECT that take place after the model."""


class Noted(Mapping[str, Any]):
    """Parameters, and which of them were read."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self.read: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        value = self.read[name] = self._parameters[name]
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)


@dataclass(frozen=True, slots=True)
class Split:
    """A statement in parts, and what DuckDB does when they have run."""

    parts: tuple[Part, ...]
    sql: str
    """Of the rest, over the tables that the parts keep."""
    names: tuple[str, ...]
    """Of the result's columns; none where only running it tells."""
    columns: tuple[KeptColumn, ...]
    """The result's, where columns that the parts keep are all of it."""
    read: Mapping[str, Any]
    """Parameters that decided about it: names of models, options of calls."""
    plan: SqlPlan
    """What EXPLAIN shows."""

    @property
    def unread(self) -> frozenset[str]:
        """Tables that parts keep for nobody but the result, where columns are all of it."""
        if not self.columns:
            return frozenset()
        queries = [part.sql for part in self.parts]
        return frozenset(p.into for p in self.parts if not any(p.into in sql for sql in queries))


class Splitter:
    """Works through one statement; changes it in place. No row is read and no model runs.

    Parameters
    ----------
    connection
        What tells names and types.
    models
        What is called.
    parameters
        The statement's.
    """

    def __init__(
        self, connection: Connection, models: ModelFunctions, parameters: Parameters
    ) -> None:
        self._connection = connection
        self._models = models
        self._parameters = parameters
        self._deciding = Noted(parameters)
        self._runner = PartRunner(connection, models, parameters, dry=True)
        self._constants: dict[CallKey, str] = {}
        self._parts: list[Part] = []

    def split(self, statement: exp.Expr, text: str) -> Split:
        """Check every call, then replace each by what reads its answers."""
        names = self._bind(statement, text)
        try:
            for select in list(scopes(statement)):
                for call in own_calls(select, self._deciding):
                    if call.is_constant:
                        call.node.replace(self._constant(call))
                if calls := own_calls(select, self._deciding):
                    self._split_select(select, calls)
            for node in list(statement.find_all(exp.Anonymous)):
                if is_call(node):
                    self._outside(as_call(node, self._deciding))
        finally:
            self._runner.close()
        sql = statement.sql("duckdb")
        return Split(
            parts=tuple(self._parts),
            sql=sql,
            names=tuple(names),
            columns=columns_alone(statement) if names else (),
            read=self._deciding.read,
            plan=SqlPlan((*(step for part in self._parts for step in part.steps), Finish(sql))),
        )

    def _bind(self, statement: exp.Expr, text: str) -> list[str]:
        """Names of the columns of a query, else none."""
        for table in statement.find_all(exp.Table):
            if table.name.lower().startswith((ROWS, CONSTANT)):
                raise UnsupportedError(
                    f"{table.name}: names that begin with {ROWS} or {CONSTANT} are those of "
                    "intermediate tables; choose another"
                )
        for node in statement.find_all(exp.Anonymous):
            if is_call(node):
                call = as_call(node, self._deciding)
                kind = self._models.returns(call.function.name, call.model, call.options)
                self._connection.placeholder(call.function, call.model, call.options, kind)
        if statement.find(exp.Ordered):
            self._check_order(called(statement))
        # DuckDB evaluates what FROM unnests as soon as it is bound.
        unnested = any(has_call(n) for n in statement.find_all(exp.Unnest))
        if unnested or not isinstance(statement, exp.Query):
            return []
        return [name for name, _ in self._connection.describe(text, self._parameters)]

    def _constant(self, call: Call) -> exp.Expr:
        """Answers that no row decides; what reads them."""
        name = self._constants.get(call.key)
        if name is None:
            name = f"{CONSTANT}{len(self._constants) + 1}"
            self._constants[call.key] = name
            columns = tuple(f"t{i}" for i in range(len(call.texts)))
            items = [exp.alias_(t.copy(), c) for t, c in zip(call.texts, columns, strict=True)]
            query = exp.Select(expressions=items)
            asked = Asked(call, columns, VECTOR)
            self._add(Part(query.sql("duckdb"), name, columns, (asked,), is_constant=True))
        return exp.Subquery(this=exp.select(VECTOR).from_(name))

    def _check_order(self, function: str) -> None:
        """Refuse settings of ORDER BY that sqlglot, which leaves defaults out, does not know."""
        for setting, default in (("default_null_order", "NULLS_LAST"), ("default_order", "ASC")):
            found = self._connection.setting(setting)
            if found.upper() not in (default, f"{default}ENDING"):
                raise UnsupportedError(
                    f"{function} beside ORDER BY while {setting} is {found}: only {default} is "
                    f"supported; RESET {setting}, and write NULLS FIRST or DESC where you mean it"
                )

    def _outside(self, call: Call) -> None:
        """A call that is in no SELECT: in VALUES, or in ORDER BY of a UNION."""
        if not call.is_constant:
            raise UnsupportedError(
                f"{call.function.name} of {call.shown} outside a SELECT, as in ORDER BY of a "
                f"UNION; put the rows in a CTE, and call {call.function.name} in a SELECT over it"
            )
        call.node.replace(self._constant(call))

    def _scope(self, select: exp.Select) -> tuple[Scope, list[str]]:
        """A SELECT by itself, and the names of its columns."""
        try:
            scope = Scope(select, self._describe)
            return scope, scope.output_names()
        except SqlError as error:
            if select.find_ancestor(exp.Select) is None:
                raise
            # The whole statement is bound already: what is missing here is around this SELECT.
            function = called(select)
            raise UnsupportedError(
                f"{function} in a subquery that refers to the query around it; compute it in a CTE "
                f"first, WITH v AS (SELECT *, {function}(…) AS e FROM …), and use v in the "
                f"subquery. DuckDB says: {error}"
            ) from error

    def _split_select(self, select: exp.Select, calls: list[Call]) -> None:
        scope, names = self._scope(select)
        before, after = scope.conditions()
        early = scope.early_limit(after)
        items = Items(scope, calls, self._deciding)
        finished = _finished_items(scope, items, names)
        outer = _outer_args(scope, items, after, early is not None)

        rows = scope.source_query(items.expressions)
        if before:
            rows.set("where", exp.Where(this=exp.and_(*before, copy=False)))
        for arg, value in (early or {}).items():
            rows.set(arg, value)
        into = f"{ROWS}{sum(not part.is_constant for part in self._parts) + 1}"
        self._add(Part(rows.sql("duckdb"), into, tuple(items.columns), tuple(items.asked)))

        for arg in SOURCE_ARGS:
            select.set(arg, None)
        for arg in ("where", "order", "limit", "offset"):
            select.set(arg, outer.get(arg))
        for arg in (*OUTER_ARGS, "windows"):
            if arg in outer:
                select.set(arg, outer[arg])
        select.set("expressions", finished)
        select.from_(into, copy=False)

    def _add(self, part: Part) -> None:
        """Note a part, and let what is around it be described."""
        self._parts.append(part)
        self._runner.answer(part, self._runner.rows(part))

    def _describe(self, query: exp.Query) -> list[tuple[str, str]]:
        return self._connection.describe(query.sql("duckdb"), self._parameters)


class Items:
    """What the rows before the model must hold: star items, columns, texts."""

    def __init__(self, scope: Scope, calls: list[Call], parameters: Parameters) -> None:
        self._scope = scope
        self._parameters = parameters
        self.expressions: list[exp.Expr] = []
        self.columns: list[str] = []
        """Their names, star items spelled out."""
        self.asked: list[Asked] = []
        """Each distinct call."""
        self._names: dict[tuple[str, ...], str] = {}
        self._vectors: dict[CallKey, str] = {}
        self.stars = {id(i): self._star(i) for i in scope.select.expressions if is_star(i)}
        for call in calls:
            self._vector(call)

    def replace(self, node: exp.Expr) -> exp.Expr:
        """The column that stands for a call, a source column or a subquery."""
        if isinstance(node, exp.Column):
            return exp.column(self._column(node))
        stands_for = (
            self._vector(as_call(node, self._parameters)) if is_call(node) else self._column(node)
        )
        column = exp.column(stands_for)
        return exp.AnyValue(this=column) if self._scope.must_pick(node) else column

    def _star(self, item: exp.Expr) -> list[tuple[str, str]]:
        """Internal and original name of each column that a star stands for."""
        originals = self._scope.star_names(item)
        internal = [f"star_{len(self.columns) + i}" for i in range(len(originals))]
        self.expressions.append(item.copy())
        self.columns += internal
        return list(zip(internal, originals, strict=True))

    def _vector(self, call: Call) -> str:
        full = replace(call, texts=tuple(map(self._scope.expanded, call.texts)))
        if full.key not in self._vectors:
            vector = f"vector_{len(self._vectors) + 1}"
            self._vectors[full.key] = vector
            texts = tuple(self._column(text) for text in full.texts)
            self.asked.append(Asked(full, texts, vector))
        return self._vectors[full.key]

    def _column(self, node: exp.Expr) -> str:
        key = self._scope.key(node)
        if key not in self._names:
            name = f"column_{len(self.columns) + 1}"
            self._names[key] = name
            self.expressions.append(exp.alias_(node.copy(), name))
            self.columns.append(name)
        return self._names[key]


def _finished_items(scope: Scope, items: Items, names: list[str]) -> list[exp.Expr]:
    """The SELECT list for after the model, with the names it had before."""
    finished: list[exp.Expr] = []
    for item in scope.select.expressions:
        if is_star(item):
            finished += [
                exp.alias_(exp.column(internal), original, quoted=True)
                for internal, original in items.stars[id(item)]
            ]
            continue
        new = scope.after_model(item, items.replace)
        if not isinstance(item, exp.Alias) and len(finished) < len(names):
            new = exp.alias_(new, names[len(finished)], quoted=True)
        finished.append(new)
    return finished


def _outer_args(
    scope: Scope, items: Items, after: list[exp.Expr], limited: bool
) -> dict[str, object]:
    """The other parts of the SELECT for after the model."""
    select = scope.select
    outer: dict[str, object] = {
        arg: scope.after_model(select.args[arg], items.replace)
        for arg in OUTER_ARGS
        if isinstance(select.args.get(arg), exp.Expr)
    }
    if windows := select.args.get("windows"):
        outer["windows"] = [scope.after_model(w, items.replace) for w in windows]
    if after:
        conditions = [scope.after_model(c, items.replace) for c in after]
        outer["where"] = exp.Where(this=exp.and_(*conditions, copy=False))
    if not limited:
        outer |= {a: select.args[a] for a in ("limit", "offset") if select.args.get(a)}
        if order := select.args.get("order"):
            outer["order"] = _outer_order(scope, items, order)
    return outer


def _outer_order(scope: Scope, items: Items, order: exp.Order) -> exp.Order:
    """ORDER BY for after the model; a bare alias means the item, before any column."""
    new = order.copy()
    for ordered in new.expressions:
        key = ordered.this
        bare = isinstance(key, exp.Column) and not key.table
        if not (bare and key.name.lower() in scope.aliases):
            ordered.set("this", scope.after_model(key.copy(), items.replace))
    return new
