"""A SELECT over tensors becomes a plan: the second door onto the algebra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from sqlglot import exp

from gpudb.errors import CatalogError
from gpudb.sql.connection import Parameters
from gpudb.sql.protocols import TensorFunctions
from gpudb.sql.tensors.blocks import Blocks
from gpudb.sql.tensors.conditions import Conditions
from gpudb.sql.tensors.finish import finished
from gpudb.sql.tensors.functions import AGGREGATES, function_name
from gpudb.sql.tensors.items import group_labels, read_items
from gpudb.sql.tensors.relation import NotTaken, Relation, merged, stored
from gpudb.sql.tensors.scope import Scope
from gpudb.sql.tensors.table_functions import call

Binding: TypeAlias = Relation | NotTaken
"""What a name of WITH stands for: a tensor, or why it is none."""

_OTHERS = ("having", "qualify", "windows", "distinct", "order", "limit", "offset", "sample",
           "laterals", "pivots", "connect", "prewhere", "settings", "into", "locks")  # fmt: skip
"""Parts of a SELECT that have no meaning for tensors."""


class Binder:
    """Binds names to tensors and queries to plans.

    Parameters
    ----------
    tensors
        The stored tensors.
    parameters
        Values of the statement's parameters.
    is_table
        True for the name of an ordinary table, which hides a tensor of that name.
    """

    def __init__(
        self,
        tensors: TensorFunctions,
        parameters: Parameters,
        is_table: Callable[[str], bool],
    ) -> None:
        self.parameters = parameters
        self._tensors = tensors
        self._is_table = is_table

    def query(self, query: exp.Expr, names: Mapping[str, Binding] | None = None) -> Relation:
        """The relation that a query stands for.

        Parameters
        ----------
        query
            A SELECT, perhaps in brackets.
        names
            What WITH of the queries around it defines.

        Raises
        ------
        NotTaken
            It is no expression over tensors alone.
        SqlError
            It is one, and wrong.
        """
        if isinstance(query, exp.Subquery) and not query.alias:
            return self.query(query.this, names)
        if not isinstance(query, exp.Select):
            raise NotTaken(f"{query.key.upper()} of blocks")
        if found := [part for part in _OTHERS if query.args.get(part)]:
            raise NotTaken(f"{found[0].upper()} over blocks")
        return self._select(query, self.defined(query, names))

    def defined(
        self,
        query: exp.Expr,
        names: Mapping[str, Binding] | None = None,
        before: exp.Expr | None = None,
    ) -> dict[str, Binding]:
        """The names a query may use: those around it, and of its own WITH those ``before`` one."""
        known = dict(names or {})
        with_ = query.args.get("with_")
        for cte in with_.expressions if isinstance(with_, exp.With) else ():
            if cte is before:
                break
            try:
                if cte.parent.args.get("recursive"):
                    raise NotTaken("WITH RECURSIVE over blocks")
                bound: Binding = self._aliased(self.query(cte.this, known), cte)
            except NotTaken as reason:
                bound = reason
            known[cte.alias.lower()] = bound
        return known

    def table(self, table: exp.Expr, names: Mapping[str, Binding]) -> Relation:
        """What stands in FROM: a tensor, a name of WITH, a subquery, a table function."""
        if isinstance(table, exp.Subquery):
            return self._aliased(self.query(table.this, names), table)
        if not isinstance(table, exp.Table) or table.args.get("db"):
            raise NotTaken(f"{table.sql('duckdb')} is no tensor")
        if not isinstance(table.this, exp.Identifier):
            return self._aliased(self._argument(table.this, names), table)
        return self._aliased(self.named(table.name, names), table)

    def named(self, name: str, names: Mapping[str, Binding]) -> Relation:
        """The relation of that name."""
        bound = names.get(name.lower())
        if isinstance(bound, NotTaken):
            raise bound
        if bound is not None:
            return bound
        if self._is_table(name):
            raise NotTaken(f"{name} is a table")
        try:
            found = self._tensors.find(name)
        except CatalogError as error:
            raise NotTaken(str(error)) from error
        return stored(found.label, found.tensor, found.keys)

    def _argument(self, node: exp.Expr, names: Mapping[str, Binding]) -> Relation:
        """A tensor that a function in FROM is given: a name, a call, a query in brackets."""
        if isinstance(node, exp.Column) and not node.table:
            return self.named(node.name, names)
        if isinstance(node, exp.Query):
            return self.query(node, names)
        return call(node, lambda inner: self._argument(inner, names), self.parameters)

    def _select(self, select: exp.Select, names: Mapping[str, Binding]) -> Relation:
        scope = Scope()
        conditions = Conditions(scope, self.parameters)
        self._from(select, names, scope, conditions)
        if where := select.args.get("where"):
            conditions.add(where.this)
        keys, block, columns = read_items(select, scope, self.parameters)
        tests = (*scope.pending(), *conditions.tests)
        group = None
        if select.args.get("group") or _has_aggregate(block.expression):
            group = group_labels(select, scope, keys, columns)
            if loose := [key.name for key in keys if key.label not in group]:
                raise NotTaken(
                    f"key column {', '.join(loose)} is not in GROUP BY: add it there, or leave it "
                    "out"
                )
        blocks = Blocks(scope, self.parameters, conditions.elements, tests, group)
        operand = blocks.column(block.expression)
        if group is not None:
            tests = tuple(t for t in tests if t[0] in group and _other(t[2], group))
        sources = merged(*scope.relations.values())
        return finished(operand, tests, keys, columns, block.name, sources, scope)

    def _from(
        self,
        select: exp.Select,
        names: Mapping[str, Binding],
        scope: Scope,
        conditions: Conditions,
    ) -> None:
        from_ = select.args.get("from_")
        if from_ is None:
            raise NotTaken("no table")
        self._add(from_.this, names, scope)
        joins = [*(from_.this.args.get("joins") or ()), *(select.args.get("joins") or ())]
        pending: list[exp.Expr] = []
        for join in joins:
            kind, side, method = (join.args.get(k) or "" for k in ("kind", "side", "method"))
            if side or method or kind not in ("", "INNER", "CROSS"):
                raise NotTaken(f"{side or method or kind} JOIN of blocks")
            before = list(scope.relations)
            self._add(join.this, names, scope)
            joins.extend(join.this.args.get("joins") or ())
            if on := join.args.get("on"):
                pending.append(on)
            new = list(scope.relations)[-1]
            pending += [_using(c, before, new, scope) for c in join.args.get("using") or ()]
        for on in pending:
            conditions.add(on)

    def _add(self, table: exp.Expr, names: Mapping[str, Binding], scope: Scope) -> None:
        relation = self.table(table, names)
        function = isinstance(table, exp.Table) and not isinstance(table.this, exp.Identifier)
        name = table.alias or (function_name(table.this) if function else table.alias_or_name)
        scope.add(name or f"subquery_{len(scope.relations) + 1}", relation)

    def _aliased(self, relation: Relation, node: exp.Expr) -> Relation:
        """The columns under the names of an alias with a column list."""
        alias = node.args.get("alias")
        columns = alias.args.get("columns") if isinstance(alias, exp.TableAlias) else None
        return relation.renamed(tuple(c.name for c in columns)) if columns else relation


def _using(column: exp.Expr, before: list[str], new: str, scope: Scope) -> exp.Expr:
    """``USING (k)`` as an equality with the first relation that has ``k``."""
    name = column.name
    for alias in before:
        if name.lower() in (k.lower() for k in scope.relations[alias].axes):
            return exp.EQ(
                this=exp.column(name, table=alias), expression=exp.column(name, table=new)
            )
    raise NotTaken(f"USING ({name}): no table before has that key column")


def _has_aggregate(node: exp.Expr) -> bool:
    """True when an aggregate of one argument is in the expression."""
    return any(function_name(n) in AGGREGATES for n in node.find_all(exp.Func))


def _other(value: object, group: frozenset[int]) -> bool:
    """True unless a test compares with a key column that is no longer there."""
    return not isinstance(value, str) or int(value[1:]) in group
