"""What the SQL engine asks about tensors: is one meant, and what comes of it."""

from __future__ import annotations

from time import perf_counter

from sqlglot import exp

from gpudb.errors import SqlError
from gpudb.plan.explain import explain
from gpudb.report import Report
from gpudb.sql.connection import Connection, Parameters
from gpudb.sql.plan import Measured, SqlResult, SqlStatistics
from gpudb.sql.protocols import TableStore, TensorFunctions
from gpudb.sql.statements import parse
from gpudb.sql.tensors.binder import Binder
from gpudb.sql.tensors.queries import TensorQueries
from gpudb.sql.tensors.relation import Relation


class TensorDoor:
    """SQL over the tensors of one database.

    Parameters
    ----------
    tensors
        The stored tensors; None for a database without.
    tables
        The user's tables, which hide tensors of the same name.
    connection
        Where DuckDB finds blocks that an ordinary statement reads.
    """

    def __init__(
        self, tensors: TensorFunctions | None, tables: TableStore, connection: Connection
    ) -> None:
        self._tensors = tensors
        self._tables = tables
        self._connection = connection

    def mentioned(self, text: str) -> bool:
        """False when no tensor is read for sure; true when the statement must be looked at."""
        if self._tensors is None:
            return False
        lower = text.lower()
        return any(name.lower() in lower for name in self._tensors.names())

    def tree(self, text: str) -> exp.Expr | None:
        """The statement, when it may read tensors; None for one that DuckDB does as it stands.

        A tensor's name may be any word. So what cannot be parsed here goes to DuckDB, which does
        it, or says which table it does not know.
        """
        if not self.mentioned(text):
            return None
        try:
            return parse(text)
        except SqlError:
            return None

    def queries(self, parameters: Parameters, *, dry: bool = False) -> TensorQueries:
        """What finds the expressions over tensors in one statement."""
        assert self._tensors is not None  # mentioned() was true
        binder = Binder(self._tensors, parameters, self._is_table)
        return TensorQueries(self._tensors, self._connection, binder, dry)

    def run(self, relation: Relation, text: str) -> SqlResult:
        """Compute a statement that is an expression over tensors."""
        assert self._tensors is not None
        started = perf_counter()
        table = self.queries({}).compute(relation)
        seconds = perf_counter() - started
        stats = SqlStatistics((Measured(table.num_rows, seconds),), seconds)
        return SqlResult(table, explain(relation.result), stats)

    def report(self, relation: Relation, statement: str, *, analyze: bool) -> Report:
        """The plan of a statement that is an expression over tensors; ``analyze`` runs it."""
        assert self._tensors is not None
        started = perf_counter()
        plan = self._tensors.report(relation.result, relation.sources, analyze=analyze)
        title = "EXPLAIN ANALYZE" if analyze else "EXPLAIN"
        seconds = perf_counter() - started if analyze else None
        return Report(title, statement, plans=(plan,), seconds=seconds)

    def _is_table(self, name: str) -> bool:
        stored = name.lower() in (n.lower() for n in self._tables.views())
        return stored or self._connection.is_temporary(name)
