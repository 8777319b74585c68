"""One DuckDB connection over the tables of a database."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gpudb.embed_options import EmbedOptions
from gpudb.errors import SqlError, UnsupportedError
from gpudb.functions import FUNCTIONS, ModelFunction
from gpudb.sql.connection import LONGEST_PARSED, MOST_PARSED, Connection, quoted


class Views:
    """Tables that are any SQL text."""

    def __init__(self) -> None:
        self.selects: dict[str, str] = {}
        self.counter = 0
        self.listed = 0

    def set(self, **selects: str) -> None:
        self.selects = selects
        self.counter += 1

    def views(self) -> Mapping[str, str]:
        return self.selects

    def catalog(self) -> Mapping[str, object]:
        def rows() -> pa.Table:
            self.listed += 1
            return pa.table({"n": [self.counter]})

        return {"models": rows}

    def change_counter(self) -> tuple[int, int]:
        return (self.counter, 0)


@pytest.fixture
def views() -> Views:
    return Views()


@pytest.fixture
def connection(views: Views) -> Iterator[Connection]:
    connection = Connection(views, threads=1, memory_limit=500_000_000)
    yield connection
    connection.close()


def value(connection: Connection, sql: str, **parameters: object) -> object:
    return connection.query(sql, parameters).column(0).to_pylist()[0]


def test_views_follow_the_tables(connection: Connection, views: Views) -> None:
    views.set(a="SELECT 1 AS x", b="SELECT 2 AS x")
    connection.refresh("")
    assert value(connection, "SELECT a.x + b.x FROM a, b") == 3
    views.set(b="SELECT 5 AS x")
    connection.refresh("")
    assert value(connection, "SELECT x FROM b") == 5
    with pytest.raises(SqlError, match=r"(?s)name a does not exist.*Tables of this database: b"):
        connection.query("FROM a", {})


def test_a_table_that_cannot_be_read_keeps_no_other_from_being_read(
    connection: Connection, views: Views, tmp_path: object
) -> None:
    file = f"{tmp_path}/x.parquet"
    broken = f"SELECT * FROM read_parquet('{file}')"
    views.set(good="SELECT 1 AS x", broken=broken)
    connection.refresh("")
    assert value(connection, "SELECT x FROM good") == 1
    with pytest.raises(SqlError, match=r"(?s)Table 'broken' cannot be read: .*x.parquet"):
        connection.query("FROM broken", {})
    pq.write_table(pa.table({"x": [7]}), file)
    connection.refresh("")
    assert value(connection, "SELECT x FROM broken") == 7


def test_the_catalog_is_copied_only_when_it_is_named(connection: Connection, views: Views) -> None:
    views.set()
    connection.refresh("SELECT 1")
    assert views.listed == 0
    for _ in range(2):
        connection.refresh('SELECT * FROM "GPUDB".models')
        assert value(connection, "SELECT n FROM gpudb.models") == 1
    assert views.listed == 1
    views.set()
    connection.refresh("FROM gpudb.models")
    assert value(connection, "SELECT n FROM gpudb.models") == 2


@pytest.mark.parametrize("name", ["cosine", "dot", "l2"])
@pytest.mark.parametrize("kind", ["FLOAT[3]", "FLOAT[]", "DOUBLE[3]"])
def test_vectors_are_compared_as_numpy_does(connection: Connection, name: str, kind: str) -> None:
    a, b = np.array([1.0, -2.5, 3.0]), np.array([0.5, 4.0, -1.0])
    expected = {
        "cosine": a @ b / np.sqrt((a @ a) * (b @ b)),
        "dot": a @ b,
        "l2": np.sqrt(((a - b) ** 2).sum()),
    }[name]
    sql = f"SELECT {name}($a::{kind}, $b::{kind})"
    # DuckDB sums in the type of the vectors: float32 has 24 bits.
    assert value(connection, sql, a=a.tolist(), b=b.tolist()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["cosine", "dot", "l2"])
def test_a_null_vector_compares_to_null(connection: Connection, name: str) -> None:
    rows = "(VALUES ([1.0, 2.0]::FLOAT[2]), (NULL), ([3.0, 4.0]::FLOAT[2])) t(v)"
    found = connection.query(f"SELECT {name}(v, [1.0, 2.0]::FLOAT[2]) FROM {rows}", {})
    assert [v is None for v in found.column(0).to_pylist()] == [False, True, False]
    assert value(connection, f"SELECT {name}([1.0, 2.0]::FLOAT[2], NULL)") is None


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda function: function.name)
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (pa.float32(), "FLOAT"),
        (
            pa.list_(pa.struct([("to", pa.string()), ("b", pa.int32())])),
            'STRUCT("to" VARCHAR, b INTEGER)[]',
        ),
        (pa.map_(pa.string(), pa.float32()), "MAP(VARCHAR, FLOAT)"),
    ],
)
def test_calls_are_bound_to_the_type_of_the_answers(
    connection: Connection, function: ModelFunction, kind: pa.DataType, name: str
) -> None:
    connection.placeholder(function, "m", function.options(), kind)
    call = f"{function.name}('m', {', '.join('a' for _ in function.texts)})"
    described = connection.describe(f"SELECT {call} AS e FROM (SELECT 'x' AS a)", {})
    assert described == [("e", name)]


def test_answers_that_sql_has_no_type_for(connection: Connection) -> None:
    options = EmbedOptions(dtype="float16")
    with pytest.raises(UnsupportedError, match=r"embed: SQL has no type for .*halffloat"):
        connection.placeholder(FUNCTIONS["embed"], "m", options, pa.list_(pa.float16(), 3))


def test_embed_can_be_bound_but_not_run(connection: Connection) -> None:
    embed = FUNCTIONS["embed"]
    for model, options, kind in (
        ("m", EmbedOptions(), pa.list_(pa.float32(), 3)),
        ("m", EmbedOptions(2, dtype="int8"), pa.list_(pa.int8(), 2)),
        ("o'\"x@2", EmbedOptions(), pa.list_(pa.float32(), 5)),
    ):
        connection.placeholder(embed, model, options, kind)
    described = connection.describe("SELECT embed('m', 'a') AS e, embed($n, NULL)", {"n": "m"})
    assert described == [("e", "FLOAT[3]"), ("embed($n, NULL)", "FLOAT[3]")]
    assert connection.describe("SELECT embed('o''\"x@2', 'a') AS e", {}) == [("e", "FLOAT[5]")]
    form = connection.describe("SELECT embed('m', 'a', $n, dtype => 'int8') AS e", {"n": 2})
    assert form == [("e", "TINYINT[2]")]
    with pytest.raises(SqlError, match=r"embed\(\) reached DuckDB: a"):
        connection.query("SELECT embed('m', t) FROM (VALUES ('a')) v(t)", {})


def test_parameters_a_statement_does_not_use_stay_out(connection: Connection) -> None:
    assert value(connection, "SELECT $a", a=1, b=2) == 1
    with pytest.raises(SqlError, match="parameter 'c', which was not given; given: a, b"):
        connection.query("SELECT $c", {"a": 1, "b": 2})
    with pytest.raises(SqlError, match="given: none"):
        connection.query("SELECT ?", {})


def test_errors_of_duckdb_are_ours(connection: Connection) -> None:
    for sql in ("SELEC 1", "SELECT x", "SELECT 1 / 'a'", "SELECT 'a'::INT"):
        with pytest.raises(SqlError) as caught:
            connection.query(sql, {})
        assert isinstance(caught.value.__cause__, duckdb.Error)
    with pytest.raises(SqlError, match="syntax error"):
        connection.statements("SELECT 1; SELEC 2")


def test_python_variables_are_no_tables(connection: Connection) -> None:
    secret = pa.table({"x": [1]})
    assert secret.num_rows == 1
    with pytest.raises(SqlError, match="secret does not exist"):
        connection.query("FROM secret", {})


def test_temporary_tables_are_told_from_stored_ones(connection: Connection, views: Views) -> None:
    views.set(stored="SELECT 1 AS x")
    connection.refresh("")
    connection.query("CREATE TEMP TABLE Mine AS SELECT 1 AS x", {})
    connection.query("CREATE TEMP VIEW seen AS SELECT 1 AS x", {})
    names = ("mine", "MINE", "seen", "stored", "missing")
    assert [connection.is_temporary(n) for n in names] == [True, True, True, False, False]


def test_settings_are_passed_on(connection: Connection) -> None:
    assert value(connection, "SELECT current_setting('threads')") == 1
    assert "MiB" in str(value(connection, "SELECT current_setting('memory_limit')"))


def test_identifiers_are_quoted() -> None:
    assert quoted('a"b') == '"a""b"'


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Ctrl-C is heard, also where a shell started the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_ctrl_c_during_a_query_is_an_interrupt(connection: Connection) -> None:
    slow = "SELECT sum(sin(i)) FROM range(100_000_000) r(i)"
    clock = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    clock.start()

    def ask() -> None:
        try:
            connection.query(slow, {})
        finally:
            clock.join()  # where threads wait long for a processor, it comes here

    with pytest.raises(KeyboardInterrupt):
        ask()
    assert connection.query("SELECT 1 AS x", {}).to_pylist() == [{"x": 1}]


def test_statements_are_parsed_once_and_the_last_are_kept(connection: Connection) -> None:
    text = "SELECT $a AS x; SELECT $b"
    found = connection.statements(text)
    assert [s.query.strip().rstrip(";") for s in found] == ["SELECT $a AS x", "SELECT $b"]
    assert [s.named_parameters for s in found] == [{"a"}, {"b"}]
    assert connection.statements(text) is found
    for number in range(MOST_PARSED - 1):
        connection.statements(f"SELECT {number}")
    assert connection.statements(text) is found
    for number in range(MOST_PARSED):
        connection.statements(f"SELECT {number} + 1")
    again = connection.statements(text)
    assert again is not found
    assert again == found


def test_long_texts_and_wrong_ones_are_parsed_every_time(connection: Connection) -> None:
    long = f"SELECT '{'x' * LONGEST_PARSED}'"
    assert connection.statements(long) is not connection.statements(long)
    for _ in range(2):
        with pytest.raises(SqlError):
            connection.statements("SELEC 1")
