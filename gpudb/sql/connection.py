"""One DuckDB connection: runs text with parameters, in Arrow, with our errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from threading import RLock
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from gpudb.errors import SqlError, UnsupportedError
from gpudb.functions import FUNCTIONS, ModelFunction, Options
from gpudb.sql.explain import for_duckdb
from gpudb.sql.protocols import TableStore
from gpudb.sql.tensors import ddl

Parameters = Mapping[str, Any]
"""Values by name; those of ``?`` are called "1", "2" and so on."""

MACROS = (
    # DuckDB's own fail on a null vector: an array of nulls, once it is cast to a list.
    *(
        f"CREATE MACRO {name}(a, b) AS "
        f"CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE {function}(a, b) END"
        for name, function in (
            ("cosine", "list_cosine_similarity"),
            ("dot", "list_dot_product"),
            ("l2", "list_distance"),
        )
    ),
    # Of a block, which is a list; nothing of an empty one but its sum and norm.
    "CREATE MACRO norm(block) AS "
    "sqrt(coalesce(list_sum(list_transform(block, lambda x: x * x)), 0))",
    "CREATE MACRO block_sum(block) AS coalesce(list_sum(block), 0)",
    "CREATE MACRO block_mean(block) AS list_avg(block)",
    "CREATE MACRO block_min(block) AS list_min(block)",
    "CREATE MACRO block_max(block) AS list_max(block)",
)
BLOCK_MACROS = ("norm", "block_sum", "block_mean", "block_min", "block_max")
OUR_MACROS = ("cosine", "dot", "l2", *FUNCTIONS, *BLOCK_MACROS)
DUCKDB_LEAST_NBYTES = 8 << 20
"""DuckDB cannot even define a macro in a few kilobytes; a smaller limit holds for models only."""
INTERRUPTED = "Query interrupted"
"""What DuckDB makes of Ctrl-C, when the query has ended."""
MOST_PARSED, LONGEST_PARSED = 64, 10_000
"""Texts whose statements are kept, and the characters of the longest such text."""
_OURS = re.compile(r"\bgpudb\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as DuckDB's parser sees it."""

    query: str
    type: duckdb.StatementType
    named_parameters: frozenset[str]


class Connection:
    """DuckDB in memory, over the database's tables. Threads take turns.

    Nothing of the user's lives in it but temporary tables and settings: stored tables are views of
    Parquet files, and the catalog's are copies made when a statement mentions them. ``live`` are
    tables under ``gpudb`` that change with no change of the catalog, ``tensors`` tells the names
    of tensors, for messages.
    """

    def __init__(
        self,
        tables: TableStore,
        *,
        threads: int,
        memory_limit: int | None,
        live: Mapping[str, Callable[[], pa.Table]] | None = None,
        tensors: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self.lock = RLock()
        self._tensors = tensors
        self._live = live or {}
        self._tables = tables
        self._views: dict[str, str] = {}
        self._unreadable: dict[str, str] = {}
        self._types: dict[pa.DataType, str] = {}
        self._parsed: dict[str, Sequence[Statement]] = {}
        self._seen: object = None
        self._listed: object = None
        self._duck = duckdb.connect(":memory:")
        # A table name must never mean a variable of the Python code around us.
        self._duck.execute("SET python_enable_replacements = false")
        self._duck.execute(f"SET threads = {threads}")
        if memory_limit is not None:
            least = max(memory_limit, DUCKDB_LEAST_NBYTES)
            self._duck.execute(f"SET memory_limit = '{least}B'")
        self._duck.execute("CREATE SCHEMA gpudb")
        for macro in (*MACROS, *map(_binding_macro, FUNCTIONS.values())):
            self._duck.execute(macro)

    def query(self, sql: str, parameters: Parameters) -> pa.Table:
        """Run one statement with those of the parameters that it uses."""
        try:
            statement = self._duck.extract_statements(sql)[-1]
            used = {name: parameters[name] for name in statement.named_parameters}
            relation = self._duck.sql(sql, params=used or None)
            return pa.table({}) if relation is None else relation.to_arrow_table()
        except duckdb.Error as error:
            raise self._translated(error) from error
        except KeyError as error:
            raise missing_parameter(error.args[0], parameters) from None
        except RuntimeError as error:
            if INTERRUPTED not in str(error):
                raise
            raise KeyboardInterrupt from error

    def describe(self, sql: str, parameters: Parameters) -> list[tuple[str, str]]:
        """Name and type of each column that a query returns, without running it."""
        described = self.query(f"DESCRIBE {sql}", parameters)
        names, types = described.column(0).to_pylist(), described.column(1).to_pylist()
        return list(zip(names, types, strict=True))

    def statements(self, text: str) -> Sequence[Statement]:
        """The statements of a text, as DuckDB's parser sees them; those that ran last are kept."""
        found = self._parsed.pop(text, None)
        if found is None:
            try:
                parsed = self._duck.extract_statements(ddl.for_duckdb(for_duckdb(text)))
            except duckdb.Error as error:
                raise self._translated(error) from error
            found = [Statement(s.query, s.type, frozenset(s.named_parameters)) for s in parsed]
        if len(text) <= LONGEST_PARSED:
            self._parsed[text] = found
            if len(self._parsed) > MOST_PARSED:
                del self._parsed[next(iter(self._parsed))]
        return found

    def register(self, name: str, table: pa.Table) -> None:
        """Let queries read an Arrow table."""
        self._duck.register(name, table)

    def unregister(self, name: str) -> None:
        """Forget an Arrow table."""
        self._duck.unregister(name)

    def placeholder(
        self, function: ModelFunction, model: str, options: Options, kind: pa.DataType
    ) -> None:
        """Let calls be bound, not run: what binds tells names and types of a query.

        Raises
        ------
        UnsupportedError
            DuckDB has no type for answers of ``kind``.
        """
        chosen = [getattr(options, field.name) for field in fields(options)]
        parts = [f"gpudb_{function.name}_{model}", *("" if c is None else str(c) for c in chosen)]
        answers = self._sql_type(kind, function)
        variable = quoted("|".join(parts))
        self._duck.execute(f"SET VARIABLE {variable} = CAST([] AS {answers}[])")

    def _sql_type(self, kind: pa.DataType, function: ModelFunction) -> str:
        """DuckDB's name of an Arrow type."""
        if kind not in self._types:
            try:
                relation = self._duck.from_arrow(pa.table({"x": pa.array([], kind)}))
            except duckdb.Error as error:
                raise UnsupportedError(
                    f"{function.name}: SQL has no type for {kind}; choose another dtype, such as "
                    f"'float32' or 'int8', or ask Database.{function.name}"
                ) from error
            self._types[kind] = str(relation.types[0])
        return self._types[kind]

    def is_temporary(self, name: str) -> bool:
        """True for a table or view of this session, which hides a stored table of its name."""
        found = self.query(
            "SELECT table_name AS name FROM duckdb_tables() WHERE temporary "
            "UNION ALL SELECT view_name FROM duckdb_views() WHERE temporary",
            {},
        )
        return name.lower() in (n.lower() for n in found.column(0).to_pylist())

    def setting(self, name: str) -> str:
        """The value of one of DuckDB's settings."""
        found = self.query("SELECT current_setting($name)", {"name": name})
        return str(found.column(0)[0].as_py())

    def refresh(self, text: str) -> None:
        """Bring views, and the catalog's tables if ``text`` names them, up to date."""
        counter = self._tables.change_counter()
        if counter != self._seen or self._unreadable:
            self._refresh_views(self._tables.views())
            self._seen = counter
        if counter != self._listed and _OURS.search(text):
            for name, rows in self._tables.catalog().items():
                self._list(name, rows())
            self._listed = counter
        for name, rows in self._live.items():
            if _OURS.search(text) and name in text.lower():
                self._list(name, rows())

    def _list(self, name: str, rows: pa.Table) -> None:
        self._duck.register("gpudb_listing", rows)
        self._duck.execute(f'CREATE OR REPLACE TABLE gpudb."{name}" AS SELECT * FROM gpudb_listing')
        self._duck.unregister("gpudb_listing")

    def close(self) -> None:
        """Close it."""
        self._duck.close()

    def _refresh_views(self, views: Mapping[str, str]) -> None:
        """A table whose files cannot be read has no view, and does not keep others from theirs."""
        for name in self._views.keys() - views.keys():
            self._duck.execute(f"DROP VIEW IF EXISTS {quoted(name)}")
        made, self._unreadable = {}, {}
        for name, select in views.items():
            try:
                if self._views.get(name) != select:
                    self._duck.execute(f"CREATE OR REPLACE VIEW {quoted(name)} AS {select}")
                made[name] = select
            except duckdb.Error as error:
                self._duck.execute(f"DROP VIEW IF EXISTS {quoted(name)}")
                self._unreadable[name] = str(error).strip().split("\n")[0]
        self._views = made

    def _translated(self, error: duckdb.Error) -> SqlError:
        message = str(error).strip()
        if isinstance(error, duckdb.CatalogException) and "Table with name" in message:
            known = ", ".join(self._views) or "none yet: make one with create_table"
            message += f"\nTables of this database: {known}; catalog tables: gpudb.models, …"
            if tensors := self._tensors():
                message += f"\nTensors: {', '.join(tensors[:20])}{', …' * (len(tensors) > 20)}"
            for name, reason in self._unreadable.items():
                message += f"\nTable {name!r} cannot be read: {reason}"
        return SqlError(message)


def _binding_macro(function: ModelFunction) -> str:
    """Lets a query with calls be bound, not run.

    A variable gives the type of the answers (see :meth:`Connection.placeholder`), and running it
    fails in the inner cast. error() would say it better, but counts as a side effect, and DuckDB
    lets no alias refer to one.
    """
    options = fields(function.options)
    defaults = [f"{o.name} := {exp.convert(o.default).sql('duckdb')}" for o in options]
    chosen = [f" || '|' || coalesce(CAST({o.name} AS VARCHAR), '')" for o in options]
    texts = " || ".join(f"CAST({text} AS VARCHAR)" for text in function.texts)
    left_out = [f"{text} := NULL" for text in function.more]
    parameters = ", ".join(["model", *function.texts, *left_out, *defaults])
    return (
        f"CREATE MACRO {function.name}({parameters}) AS "
        f"getvariable('gpudb_{function.name}_' || model{''.join(chosen)})"
        f"[CAST('{function.name}() reached DuckDB: ' || {texts} AS BIGINT)]"
    )


def quoted(identifier: str) -> str:
    """An identifier as SQL text."""
    return '"' + identifier.replace('"', '""') + '"'


def missing_parameter(name: str, given: Parameters) -> SqlError:
    """The statement uses a parameter that was not given."""
    has = ", ".join(given) or "none"
    return SqlError(
        f"the statement uses parameter {name!r}, which was not given; given: {has}. "
        "Pass a sequence for ?, or a mapping for $name"
    )
