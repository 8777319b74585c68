"""Runs SQL: what DuckDB can do, DuckDB does; what it cannot, is split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from time import perf_counter
from typing import Any

import nvtx
import pyarrow as pa
from duckdb import StatementType
from sqlglot import exp

from gpudb.errors import SqlError, UnsupportedError
from gpudb.report import RENDERERS, Report, to_text
from gpudb.sql.calls import has_call
from gpudb.sql.changes import Changes, empty_result
from gpudb.sql.connection import Connection, Parameters, Statement
from gpudb.sql.explain import Explain, split_explain
from gpudb.sql.history import History
from gpudb.sql.kept import Kept, KeptStatements
from gpudb.sql.plan import Finish, Measured, SqlPlan, SqlResult, SqlStatistics, told
from gpudb.sql.protocols import ModelFunctions, TableStore, TensorFunctions
from gpudb.sql.recorded import recorded
from gpudb.sql.report import later_report, report_relational
from gpudb.sql.run import Changed, Ran, run_split
from gpudb.sql.settings import read_setting
from gpudb.sql.split import Split, Splitter
from gpudb.sql.statements import Kind, classify, may_call, mentions_call, parse
from gpudb.sql.tensors.door import TensorDoor


class SqlEngine:
    """SQL over a database's tables and models. Statements take turns.

    Parameters
    ----------
    models
        What answers ``embed`` and its like.
    tables
        What queries read, and where CREATE TABLE puts its rows.
    threads
        DuckDB's worker threads.
    memory_limit
        DuckDB's limit, in bytes; None leaves it to DuckDB.
    history
        Where statements are recorded, for ``gpudb.queries``; None records nothing.
    tensors
        The stored tensors; None for a database without.
    change_setting
        Changes how plans run, by name and value; None where nothing can be set.
    """

    def __init__(
        self,
        models: ModelFunctions,
        tables: TableStore,
        *,
        threads: int,
        memory_limit: int | None,
        history: History | None = None,
        tensors: TensorFunctions | None = None,
        change_setting: Callable[[str, str | int], None] | None = None,
    ) -> None:
        self._change_setting = change_setting
        self._models = models
        self._tables = tables
        self._history = history = history or History(None)
        self._connection = Connection(
            tables,
            threads=threads,
            memory_limit=memory_limit,
            live={"queries": history.table},
            tensors=tensors.names if tensors is not None else tuple,
        )
        self._tensors = TensorDoor(tensors, tables, self._connection)
        self._kept = KeptStatements()
        self._changes = Changes(
            tables, self._tensors, self._connection, run=self._split, plain=self._plain
        )

    def run(self, text: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> SqlResult:
        """Run the statements of a text, in order; the result of the last.

        Raises
        ------
        SqlError
            A statement cannot be parsed, bound or run, or parameters are missing or too many.
        UnsupportedError
            A statement that gpudb does not do; the message says what to write instead.
        """
        parameters = _by_name(params)
        with nvtx.annotate("query", domain="gpudb"), self._connection.lock:
            with recorded(self._history, text, parameters):
                self._connection.refresh(text)
                statements = self._connection.statements(text)
                if not statements:
                    raise SqlError("there is no statement in the text; write one, e.g. SELECT 1")
                _check_excess(parameters, statements)
            for number, statement in enumerate(statements):
                if number:  # the one before may have changed something
                    self._connection.refresh(statement.query)
                try:
                    with recorded(self._history, statement.query, parameters) as done:
                        result = self._run_one(statement, parameters)
                        done(result)
                finally:
                    if statement.type != StatementType.SELECT:
                        self._kept.clear()
            return result

    def close(self) -> None:
        """Close the connection."""
        with self._connection.lock:
            self._connection.close()
            self._history.close()

    def _run_one(self, statement: Statement, parameters: Parameters) -> SqlResult:
        text = statement.query.strip().rstrip(";")
        kind = classify(statement.type, text)
        if statement.type == StatementType.SELECT:
            again = self._again(text, parameters)
            if again is not None:
                return again
        if kind is Kind.EXPLAIN:
            return self._explain(text, parameters)
        if kind is Kind.CREATE:
            return self._changes.create(text, parameters)
        if kind is Kind.INSERT:
            return self._changes.insert(text, parameters)
        if kind is Kind.DROP:
            return self._changes.drop(text, parameters)
        setting = read_setting(text) if statement.type == StatementType.SET else None
        if setting is not None and self._change_setting is not None:
            self._change_setting(*setting)
            return empty_result()
        if may_call(statement.type, text):
            return self._split(parse(text), text, parameters)
        if (tree := self._tensors.tree(text)) is None:
            return self._plain(text, parameters)
        return self._split(tree, text, parameters)

    def _plain(self, text: str, parameters: Parameters) -> SqlResult:
        """DuckDB runs the user's own text."""
        started = perf_counter()
        table = self._connection.query(text, parameters)
        seconds = perf_counter() - started
        plan = SqlPlan((Finish(text),))
        stats = SqlStatistics((Measured(table.num_rows, seconds),), seconds)
        return SqlResult(table, told(plan.text(stats)), stats)

    def _split(self, tree: exp.Expr, text: str, parameters: Parameters) -> SqlResult:
        """Run a statement that may read tensors or call models."""
        if not self._tensors.mentioned(text):
            return self._over_tables(tree, text, parameters)
        queries = self._tensors.queries(parameters)
        try:
            if (relation := queries.whole(tree)) is not None:
                return self._tensors.run(relation, text)
            queries.statement(tree)
            changed = tree.sql("duckdb") if queries.changed else text
            keep = not queries.changed
            return queries.in_front_of(self._over_tables(tree, changed, parameters, keep=keep))
        finally:
            queries.close()

    def _over_tables(
        self, tree: exp.Expr, text: str, parameters: Parameters, *, keep: bool = True
    ) -> SqlResult:
        """Run a statement that may call models; ``keep`` how it is split for the same text."""
        if not has_call(tree):
            return self._plain(text, parameters)
        started = perf_counter()
        counter = self._tables.change_counter()
        split = Splitter(self._connection, self._models, parameters).split(tree, text)
        ran = run_split(self._connection, self._models, split, parameters)
        if keep and split.names:
            kept = Kept(split, counter, ran.rows, ran.table.schema)
            self._kept.keep(text, parameters, kept)
        return self._told(split, ran, text, started)

    def _again(self, text: str, parameters: Parameters) -> SqlResult | None:
        """Run a statement as it was split before; None where it was not, or that holds no more."""
        started = perf_counter()
        kept = self._kept.find(text, parameters, self._tables.change_counter())
        if kept is None:
            return None
        try:
            ran = run_split(self._connection, self._models, kept.split, parameters, kept)
        except Changed:
            return None
        return self._told(kept.split, ran, text, started)

    def _told(self, split: Split, ran: Ran, text: str, started: float) -> SqlResult:
        """The rows of a split statement, and how they came about."""
        stats = SqlStatistics(ran.measured, perf_counter() - started)
        report = later_report(self._models, split.plan, text, stats)

        @cache
        def tell() -> tuple[str, Report]:
            return to_text(found := report()), found

        names = list(split.names)
        table = ran.table.rename_columns(names) if names else ran.table
        return SqlResult(table, tell, stats)

    def _explain(self, text: str, parameters: Parameters) -> SqlResult:
        explain = split_explain(text)
        inner = explain.statement
        kind = self._connection.statements(inner)[-1].type
        if classify(kind, inner) is not Kind.DUCKDB:
            raise UnsupportedError(f"EXPLAIN of {inner[:40]!r}…: explain its SELECT instead")
        tree = parse(inner) if mentions_call(inner) else self._tensors.tree(inner)
        if tree is not None and self._tensors.mentioned(inner):
            explained = self._explain_tensors(tree, explain, parameters)
            if explained is not None:
                return explained
        if tree is None or not has_call(tree):
            if explain.relational:
                raise UnsupportedError(
                    "EXPLAIN (RELATIONAL) shows the plan of a model, and the statement calls none; "
                    "write EXPLAIN"
                )
            return self._explained_by_duckdb(text, parameters)
        explain.check()
        if not isinstance(tree, exp.Query):
            raise UnsupportedError(
                f"EXPLAIN of {tree.key.upper()} with {inner[:40]!r}…: explain its SELECT instead"
            )
        if explain.analyze:
            with self._models.profiling():
                result = self._over_tables(tree, inner, parameters)
            assert result.report is not None  # the statement has a call
            return _explained(result.report, explain.format, result.stats)
        started = perf_counter()
        plan = self._planned(tree, inner, parameters)
        if explain.relational:
            report = report_relational(self._models, plan, inner)
        else:
            report = later_report(self._models, plan, inner, None)()
        return _explained(report, explain.format, SqlStatistics((), perf_counter() - started))

    def _planned(self, tree: exp.Expr, text: str, parameters: Parameters) -> SqlPlan:
        """How a statement that may call models is split, without running a model."""
        if not has_call(tree):
            return SqlPlan((Finish(text),))
        return Splitter(self._connection, self._models, parameters).split(tree, text).plan

    def _explain_tensors(
        self, tree: exp.Expr, explain: Explain, parameters: Parameters
    ) -> SqlResult | None:
        """How a statement that reads tensors runs; None for one that reads none."""
        started, statement = perf_counter(), explain.statement
        queries = self._tensors.queries(parameters, dry=not explain.analyze)
        try:
            if (relation := queries.whole(tree)) is not None:
                explain.check()
                report = self._tensors.report(relation, statement, analyze=explain.analyze)
                took = SqlStatistics((), perf_counter() - started)
                return _explained(report, explain.format, took)
            queries.statement(tree)
            if not queries.changed:
                return None
            explain.check()
            if explain.relational:
                raise UnsupportedError(
                    "EXPLAIN (RELATIONAL) of a statement that reads tensors: write EXPLAIN, which "
                    "shows their plans before any rule, too"
                )
            sql = tree.sql("duckdb")
            ran = None
            if explain.analyze:
                with self._models.profiling():
                    ran = self._over_tables(tree.copy(), sql, parameters, keep=False)
            stats = ran.stats if ran is not None else None
            plan = self._planned(tree, sql, parameters)
            report = later_report(self._models, plan, statement, stats)()
            full = queries.before(report, explain.analyze)
            return _explained(full, explain.format, SqlStatistics((), perf_counter() - started))
        finally:
            queries.close()

    def _explained_by_duckdb(self, text: str, parameters: Parameters) -> SqlResult:
        result = self._plain(text, parameters)
        explained = "\n".join(str(row) for row in result.table.column(1).to_pylist())
        return SqlResult(result.table, told(explained), result.stats)


def _by_name(params: Sequence[Any] | Mapping[str, Any] | None) -> dict[str, Any]:
    if params is None:
        return {}
    if isinstance(params, Mapping):
        return {str(name): value for name, value in params.items()}
    if isinstance(params, str | bytes) or not isinstance(params, Sequence):
        raise SqlError(
            f"parameters are a {type(params).__name__}; expected a list for ?, or a mapping for "
            "$name"
        )
    return {str(number): value for number, value in enumerate(params, start=1)}


def _check_excess(parameters: Parameters, statements: Sequence[Statement]) -> None:
    used = {name for s in statements for name in s.named_parameters}
    if excess := parameters.keys() - used:
        raise SqlError(
            f"parameters that the statement does not use: {', '.join(sorted(excess))}; "
            f"it uses {', '.join(sorted(used)) or 'none'}"
        )


def _explained(report: Report, form: str, stats: SqlStatistics) -> SqlResult:
    """A plan as rows: one for each line of text, else one for all."""
    text = RENDERERS[form](report)
    table = pa.table({"plan": text.split("\n") if form == "text" else [text]})
    return SqlResult(table, told(text, report), stats)
