"""What the SQL engine asks about tensors: is one meant, and what comes of it."""

from __future__ import annotations

from time import perf_counter

import pyarrow as pa
from sqlglot import exp

from gpudb.errors import CatalogError, SqlError, UnsupportedError
from gpudb.plan.explain import explain
from gpudb.report import Report
from gpudb.sql.connection import Connection, Parameters
from gpudb.sql.plan import Measured, SqlResult, SqlStatistics, told
from gpudb.sql.protocols import TableStore, TensorFunctions
from gpudb.sql.statements import parse
from gpudb.sql.tensors.binder import Binder
from gpudb.sql.tensors.catalog_blocks import may_read
from gpudb.sql.tensors.queries import TensorQueries
from gpudb.sql.tensors.relation import BLOCK, NotTaken, Relation, in_order


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
        return may_read(text) or any(name.lower() in lower for name in self._tensors.names())

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
        binder = Binder(self._there(), parameters, self._is_table)
        return TensorQueries(self._there(), self._connection, binder, dry)

    def run(self, relation: Relation, text: str) -> SqlResult:
        """Compute a statement that is an expression over tensors."""
        started = perf_counter()
        table = self.queries({}).compute(relation)
        seconds = perf_counter() - started
        stats = SqlStatistics((Measured(table.num_rows, seconds),), seconds)
        return SqlResult(table, told(explain(relation.result)), stats)

    def report(self, relation: Relation, statement: str, *, analyze: bool) -> Report:
        """The plan of a statement that is an expression over tensors; ``analyze`` runs it."""
        started = perf_counter()
        plan = self._there().report(relation.result, relation.sources, analyze=analyze)
        title = "EXPLAIN ANALYZE" if analyze else "EXPLAIN"
        seconds = perf_counter() - started if analyze else None
        return Report(title, statement, plans=(plan,), seconds=seconds)

    def create(self, name: str, tree: exp.Expr, parameters: Parameters) -> SqlResult:
        """CREATE TENSOR: compute and store; the blocks at the keys of the rows are there.

        Raises
        ------
        SqlError
            The query is no expression over tensors alone.
        CatalogError
            There is a tensor, or a table, of that name.
        """
        tensors, query = self._there(), tree.args.get("expression")
        if not isinstance(query, exp.Query) or not isinstance(tree, exp.Create):
            raise SqlError("CREATE TENSOR: write CREATE TENSOR x AS SELECT keys, block FROM …")
        if self._is_table(name):
            raise CatalogError(f"there is a table {name!r}; choose another name for the tensor")
        try:
            relation = self.queries(parameters).binder.query(query)
        except NotTaken as reason:
            raise SqlError(
                f"CREATE TENSOR {name}: {reason}; a tensor is made of an expression over tensors"
            ) from None
        started = perf_counter()
        plan, keys = in_order(relation)
        blocks = tensors.create(
            name,
            plan,
            relation.sources,
            keys=keys,
            replace=bool(tree.args.get("replace")),
            if_not_exists=bool(tree.args.get("exists")),
        )
        seconds = perf_counter() - started
        stats = SqlStatistics((Measured(blocks, seconds),), seconds)
        return SqlResult(pa.table({}), told(explain(plan)), stats)

    def is_tensor(self, name: str) -> bool:
        """True for a tensor that no table of its name hides."""
        if self._tensors is None or self._is_table(name):
            return False
        return name.lower() in (n.lower() for n in self._tensors.names())

    def insert(self, name: str, rows: pa.Table, columns: list[str] | None) -> None:
        """INSERT INTO a tensor: blocks at keys that it lacks.

        Parameters
        ----------
        name
            Of the tensor.
        rows
            What the query gives.
        columns
            The column list of the statement; None for keys and block in their order.
        """
        tensors = self._there()
        wanted = [*(key.lower() for key in tensors.find(name).keys), BLOCK]
        given = [c.lower() for c in columns] if columns is not None else wanted
        if sorted(given) != sorted(wanted) or rows.num_columns != len(given):
            raise SqlError(
                f"INSERT INTO {name}: found {rows.num_columns} columns for "
                f"{', '.join(columns or wanted)}; the tensor has {', '.join(wanted)}"
            )
        tensors.insert(name, pa.table([rows.column(given.index(c)) for c in wanted], names=wanted))

    def drop(self, name: str, *, if_exists: bool) -> None:
        """DROP TENSOR."""
        self._there().drop(name, if_exists=if_exists)

    def _there(self) -> TensorFunctions:
        if self._tensors is None:
            raise UnsupportedError("this engine has no tensors; use Database.sql")
        return self._tensors

    def _is_table(self, name: str) -> bool:
        stored = name.lower() in (n.lower() for n in self._tables.views())
        return stored or self._connection.is_temporary(name)
