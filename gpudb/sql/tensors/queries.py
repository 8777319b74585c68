"""Runs the parts of statements that are expressions over tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from time import perf_counter

import pyarrow as pa
from sqlglot import exp

from gpudb.errors import SqlError, UnsupportedError
from gpudb.report import PartReport, Report
from gpudb.sql.connection import Connection
from gpudb.sql.plan import Compute, Measured, SqlPlan, SqlResult, SqlStatistics
from gpudb.sql.protocols import TensorFunctions
from gpudb.sql.tensors import catalog_blocks
from gpudb.sql.tensors.binder import Binder, Binding
from gpudb.sql.tensors.functions import ONLY_TENSORS, function_name
from gpudb.sql.tensors.order import core_of, over_core
from gpudb.sql.tensors.pruning import pruned
from gpudb.sql.tensors.relation import NotTaken, Relation
from gpudb.sql.tensors.table_functions import is_table_function


@dataclass
class TensorQueries:
    """Finds expressions over tensors in one statement, and puts tables of blocks in their place.

    Parameters
    ----------
    tensors
        The stored tensors.
    connection
        Where DuckDB finds the tables.
    binder
        Of this statement.
    dry
        Compute nothing: the tables have their columns and no rows.
    """

    tensors: TensorFunctions
    connection: Connection
    binder: Binder
    dry: bool = False
    steps: list[Compute] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    """What each step computes."""
    _tables: list[str] = field(default_factory=list)

    def whole(self, tree: exp.Expr) -> Relation | None:
        """The relation that a whole query stands for; None for what DuckDB has a part in."""
        if not isinstance(tree, exp.Query):
            return None
        try:
            return self.binder.query(tree)
        except NotTaken:
            return None

    def statement(self, tree: exp.Expr) -> None:
        """Compute what is over tensors alone in a statement, and let DuckDB read the results.

        Raises
        ------
        UnsupportedError
            The statement keeps the query for later, when the results are gone.
        """
        for select, table in catalog_blocks.uses(tree):
            name = f"gpudb_values_{len(self._tables) + 1}"
            catalog_blocks.read(
                select,
                table,
                self.tensors,
                self.connection,
                self.binder.parameters,
                name,
                self._keep,
                dry=self.dry,
            )
        self.rewrite(tree)
        if self._tables and isinstance(tree, exp.Create) and tree.kind != "TABLE":
            raise UnsupportedError(
                f"CREATE {tree.kind} over a tensor would run later, without gpudb; keep its rows "
                "with CREATE TEMP TABLE … AS SELECT …, or its blocks with CREATE TENSOR"
            )

    def rewrite(self, node: exp.Expr, names: Mapping[str, Binding] | None = None) -> None:
        """Put tables of computed blocks in the place of what is over tensors alone."""
        names = names or {}
        if isinstance(node, exp.Select):
            self._select(node, names)
        elif isinstance(node, exp.Table) and isinstance(node.parent, exp.From | exp.Join):
            self._table(node, names)
        else:
            self._below(node, names)

    @property
    def changed(self) -> bool:
        """True when the statement reads tables made here."""
        return bool(self._tables)

    def in_front_of(self, result: SqlResult) -> SqlResult:
        """The result of the rest of the statement, with these steps before its own."""
        if not self.steps:
            return result
        measured = SqlStatistics(tuple(self.measured), sum(m.seconds for m in self.measured))
        text = SqlPlan(tuple(self.steps)).text(measured)
        stats = SqlStatistics(
            (*self.measured, *result.stats.steps), measured.seconds + result.stats.seconds
        )
        return SqlResult(
            result.table, cache(lambda: (f"{text}\n{result.text}", result.report)), stats
        )

    def before(self, report: Report, analyze: bool) -> Report:
        """The report of the rest of a statement, with the plans of these steps before its own."""
        plans = tuple(
            replace(
                self.tensors.report(relation.result, relation.sources, analyze=analyze),
                into=step.into,
            )
            for step, relation in zip(self.steps, self.relations, strict=True)
        )
        parts = [
            PartReport(
                engine="tensors",
                label=step.label(),
                into=step.into,
                plan=number,
                rows=took.rows if analyze else None,
                seconds=took.seconds if analyze else None,
            )
            for number, (step, took) in enumerate(zip(self.steps, self.measured, strict=True))
        ]
        for part in report.parts:
            moved = None if part.plan is None else part.plan + len(plans)
            parts.append(replace(part, plan=moved))
        return replace(report, parts=tuple(parts), plans=(*plans, *report.plans))

    def close(self) -> None:
        """Take the tables away again."""
        for name in self._tables:
            self.connection.unregister(name)

    def compute(self, relation: Relation) -> pa.Table:
        """The columns of a relation, under its names."""
        if self.dry:
            return pa.table(
                {
                    name: pa.array([], pa.list_(pa.float32()) if is_block else pa.int32())
                    for name in relation.columns
                    for is_block in [name == relation.block]
                }
            )
        table = self.tensors.compute(relation.result, relation.sources)
        axes = relation.axes
        columns = [
            table.column("block" if name == relation.block else f"i{axes[name]}")
            for name in relation.columns
        ]
        return pa.table(columns, names=list(relation.columns))

    def _select(self, select: exp.Select, names: Mapping[str, Binding]) -> None:
        try:
            self._replace(select, self.binder.query(select, names))
            return
        except NotTaken as error:
            reason = error
        core = core_of(select)
        if core is not None:
            try:
                name = self._register(core, self.binder.query(core, names))
                over_core(select, name)
                return
            except NotTaken as error:
                reason = error
        if found := _own_function(select):
            raise SqlError(f"{found}: {reason}")
        self._below(select, names)

    def _below(self, node: exp.Expr, names: Mapping[str, Binding]) -> None:
        """Everything under a node; what WITH defines only where it is still read."""
        with_ = node.args.get("with_")
        inner = self.binder.defined(node, names)
        for child in list(node.iter_expressions()):
            if child is not with_:
                self.rewrite(child, inner)
        if not isinstance(with_, exp.With):
            return
        kept: list[exp.Expr] = []
        for cte in reversed(with_.expressions):
            if _reads(cte.alias, [node], with_) or _reads(cte.alias, kept, None):
                self.rewrite(cte.this, self.binder.defined(node, names, before=cte))
                kept.insert(0, cte)
        with_.set("expressions", kept)
        if not kept:
            with_.pop()

    def _table(self, table: exp.Table, names: Mapping[str, Binding]) -> None:
        for join in table.args.get("joins") or ():
            self.rewrite(join, names)
        if isinstance(table.this, exp.Identifier) and table.name.lower() in names:
            return  # DuckDB reads it from WITH
        alias = table.args.get("alias")
        bare = table.copy()
        bare.set("alias", None)
        bare.set("joins", None)
        try:
            relation = self.binder.table(bare, names)
            relation = pruned(table, lambda query: self.binder.query(query, names)) or relation
        except NotTaken as reason:
            if is_table_function(table.this):
                raise SqlError(f"{table.this.sql('duckdb')}: {reason}") from None
            return
        name = table.name or function_name(table.this)
        table.set("this", exp.to_identifier(self._register(bare, relation), quoted=True))
        if alias is None:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
        elif not alias.this:
            alias.set("this", exp.to_identifier(name, quoted=True))

    def _replace(self, select: exp.Select, relation: Relation) -> None:
        name = self._register(select, relation)
        over_core(select, name)

    def _keep(self, name: str, table: pa.Table) -> None:
        self.connection.register(name, table)
        self._tables.append(name)

    def _register(self, part: exp.Expr, relation: Relation) -> str:
        started = perf_counter()
        name = f"gpudb_blocks_{len(self.steps) + 1}"
        table = self.compute(relation)
        self._keep(name, table)
        self.steps.append(Compute(part.sql("duckdb"), name))
        self.relations.append(relation)
        self.measured.append(Measured(table.num_rows, perf_counter() - started))
        return name


def _own_function(select: exp.Select) -> str:
    """A function of blocks that the SELECT itself uses, as written; empty if there is none."""
    for function in select.find_all(exp.Func):
        mine = function.find_ancestor(exp.Select) is select
        if mine and function_name(function) in ONLY_TENSORS:
            return function.sql("duckdb")
    return ""


def _reads(name: str, nodes: list[exp.Expr], without: exp.Expr | None) -> bool:
    """True when a table of that name is read somewhere below, outside of ``without``."""
    for node in nodes:
        for table in node.find_all(exp.Table):
            inside = without is not None and table.find_ancestor(exp.With) is without
            if not inside and table.name.lower() == name.lower() and not table.args.get("db"):
                return True
    return False
