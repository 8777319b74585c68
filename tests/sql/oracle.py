"""The same statement in gpudb and in plain DuckDB: models whose vectors are exact, and both sides.

In the oracle ``embed`` is an ordinary scalar macro that looks its text up in a map, so DuckDB runs
the very text that gpudb splits, and rows, names, types and order must all be equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from gpudb.embed_options import VECTOR_DTYPES, EmbedOptions
from gpudb.errors import CatalogError
from gpudb.functions import Options
from gpudb.report import PlanReport, PlanText
from gpudb.sql import SqlEngine
from gpudb.sql.plan import SqlResult
from gpudb.sql.protocols import Reporter
from gpudb.store import TensorStore
from gpudb.tables import UserTables

ORACLE_MACROS = (
    "CREATE MACRO embed(model, text) AS getvariable(model)[text]",
    "CREATE MACRO classify(model, text, pair := '') AS CASE WHEN text || pair IS NOT NULL THEN "
    "{'label': text || '!' || pair, 'probability': CAST(len(text) AS FLOAT)} END",
    "CREATE MACRO classify_all(model, text) AS CASE WHEN text IS NOT NULL THEN "
    "MAP {'long': CAST(len(text) AS FLOAT), 'short': CAST(0.5 AS FLOAT)} END",
    "CREATE MACRO tag(model, text) AS CASE WHEN text IS NOT NULL THEN "
    "list_transform(range(len(text)), lambda n: {'label': text, 'start': CAST(n AS INTEGER)}) END",
    "CREATE MACRO score(model, a, b) AS CAST(100 * len(a) + len(b) AS FLOAT)",
    "CREATE MACRO fill_mask(model, text, top := 5) AS CASE WHEN text IS NOT NULL THEN "
    "list_transform(range(top), lambda n: {'token': text, 'probability': CAST(n AS FLOAT)}) END",
    *(
        f"CREATE MACRO {name}(a, b) AS CASE WHEN a IS NOT NULL AND b IS NOT NULL THEN {f}(a, b) END"
        for name, f in (
            ("dot", "list_inner_product"),
            ("l2", "list_distance"),
            ("cosine", "list_cosine_similarity"),
        )
    ),
)
TYPES = {
    "classify": pa.struct([("label", pa.string()), ("probability", pa.float32())]),
    "classify_all": pa.map_(pa.string(), pa.float32()),
    "tag": pa.list_(pa.struct([("label", pa.string()), ("start", pa.int32())])),
    "score": pa.float32(),
    "fill_mask": pa.list_(pa.struct([("token", pa.string()), ("probability", pa.float32())])),
}
ANSWERS: Mapping[str, Callable[..., Any]] = {
    "classify": lambda text, *pair: {
        "label": text + "!" + "".join(pair[:-1]),
        "probability": len(text),
    },
    "classify_all": lambda text, _: [("long", len(text)), ("short", 0.5)],
    "tag": lambda text, _: [{"label": text, "start": n} for n in range(len(text))],
    "score": lambda a, b, _: 100 * len(a) + len(b),
    "fill_mask": lambda text, options: [
        {"token": text, "probability": n} for n in range(options.top)
    ],
}
"""What models answer, exactly; the macros below say the same in SQL."""
WIDTHS = {"tiny": 4, "other": 3, "tiny@1": 4}


def vector(model: str, text: str) -> list[float]:
    """Small whole numbers that every float32 sum and product holds exactly."""
    digest = hashlib.sha256(f"{model}\0{text}".encode()).digest()
    return [float(byte % 15 + 1) for byte in digest[: WIDTHS[model]]]


@dataclass(frozen=True, slots=True)
class Counts:
    """What a run of a :class:`HashModels` model tells."""

    tokens: int
    padded_tokens: int = 0
    model: str = "hash"
    device: str = "numpy"
    flops: int = 0
    peak_nbytes: int = 0


@dataclass
class HashModels:
    """Models that answer at once, and remember which texts reached them."""

    seen: list[tuple[str, list[str]]] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """Every text that reached a model, in order."""
        return [text for _, texts in self.seen for text in texts]

    def returns(self, function: str, model: str, options: Options) -> pa.DataType:
        if model not in WIDTHS:
            raise CatalogError(f"no model {model!r}; models are: {', '.join(WIDTHS)}")
        if isinstance(options, EmbedOptions):
            element = pa.from_numpy_dtype(VECTOR_DTYPES[options.dtype])
            return pa.list_(element, options.width(model, WIDTHS[model]))
        return TYPES[function]

    def reads(self, model: str) -> pa.DataType:
        return pa.large_string()

    def formed(self, function: str, model: str, rows: pa.Array, options: Options) -> pa.Array:
        if not isinstance(options, EmbedOptions):
            answers = [ANSWERS[function](*row, options) for row in rows.to_pylist()]
            return pa.array(answers, TYPES[function])
        vectors = rows.flatten().to_numpy().reshape(len(rows), WIDTHS[model])
        made = options.applied(model, vectors, unit=False)
        return pa.FixedSizeListArray.from_arrays(pa.array(made.reshape(-1)), made.shape[1])

    def ask(
        self, function: str, model: str, texts: Sequence[pa.Array], options: Options
    ) -> tuple[pa.Array, Counts]:
        given = list(zip(*(column.to_pylist() for column in texts), strict=True))
        assert not any(None in row for row in given)
        assert len(set(given)) == len(given)
        self.seen.append((model, [" | ".join(row) for row in given]))
        counts = Counts(sum(len(text) for row in given for text in row))
        if not isinstance(options, EmbedOptions):
            return pa.array([list(row) for row in given], pa.list_(pa.string())), counts
        rows = [vector(model, (options.prompt or "") + text) for (text,) in given]
        return pa.array(rows, pa.list_(pa.float32(), WIDTHS[model])), counts

    def profiling(self) -> AbstractContextManager[None]:
        return nullcontext()

    def reporter(self, function: str, model: str) -> Reporter:
        def report(statistics: object, into: str) -> PlanReport:
            measured = f", measured {statistics}" if statistics else ""
            text = PlanText("logical plan", f"plan of {model}{measured}")
            return PlanReport(model, into, "numpy", (), (text,))

        return report

    def report_relational(self, function: str, model: str, into: str = "") -> PlanReport:
        return PlanReport(model, into, "numpy", (), (PlanText(f"relational plan of {model}", ""),))


@dataclass
class Pair:
    """gpudb and plain DuckDB over the same tables."""

    models: HashModels
    tables: UserTables
    engine: SqlEngine
    duck: duckdb.DuckDBPyConnection

    def create(self, name: str, table: pa.Table) -> None:
        """Make a table on both sides."""
        self.tables.create(name, table)
        self.duck.register("arriving", table)
        quoted = '"' + name.replace('"', '""') + '"'
        self.duck.execute(f"CREATE TABLE {quoted} AS SELECT * FROM arriving")
        self.duck.unregister("arriving")

    def know(self, texts: Iterable[str]) -> None:
        """Let the oracle's ``embed`` know the vectors of these texts."""
        texts = sorted(set(texts))
        for model, width in WIDTHS.items():
            values = pa.array([vector(model, t) for t in texts], pa.list_(pa.float32(), width))
            self.duck.register("known", pa.table({"t": texts, "v": values}))
            self.duck.execute(
                f"""SET VARIABLE "{model}" = (SELECT map(list(t), list(v)) FROM known)"""
            )
            self.duck.unregister("known")

    def ours(self, sql: str, params: Any = None) -> SqlResult:
        """What gpudb answers."""
        return self.engine.run(sql, params)

    def theirs(self, sql: str, params: Any = None) -> pa.Table:
        """What DuckDB answers."""
        return self.duck.sql(sql, params=params).to_arrow_table()

    def close(self) -> None:
        """Close both sides."""
        self.engine.close()
        self.duck.close()

    def check(self, sql: str, params: Any = None, *, ordered: bool) -> SqlResult:
        """Fail unless both answer the same: names, types, rows, and their order if asked.

        So must gpudb when it is asked once more, for then the statement is not split again.
        """
        expected = self.theirs(sql, params)
        first = self.ours(sql, params)
        self.models.seen.clear()
        for found in (first, self.ours(sql, params)):
            assert found.table.schema.names == expected.schema.names
            assert found.table.schema.types == expected.schema.types
            assert rows(found.table, ordered) == rows(expected, ordered)
        return found


def rows(table: pa.Table, ordered: bool) -> Sequence[str]:
    """Rows as text (in which NaN equals NaN)."""
    columns = [column.to_pylist() for column in table.columns]
    listed = [repr(row) for row in zip(*columns, strict=True)]
    return listed if ordered else sorted(listed)


def open_pair(tables: Mapping[str, pa.Table], texts: Iterable[str]) -> tuple[Pair, TensorStore]:
    """Both sides over ``tables``; the store is the caller's to close."""
    store = TensorStore(None, verify=True)
    models, user = HashModels(), UserTables(store)
    duck = duckdb.connect(":memory:")
    for macro in ORACLE_MACROS:
        duck.execute(macro)
    pair = Pair(models, user, SqlEngine(models, user, threads=2, memory_limit=None), duck)
    pair.know(texts)
    for name, table in tables.items():
        pair.create(name, table)
    return pair, store
