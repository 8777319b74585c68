"""Statements as users write them: what is stored, explained, refused, and shared by threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gpudb.errors import CatalogError, GpudbError, InputError, SqlError, UnsupportedError
from tests.sql.oracle import Pair, vector


def fetch(pair: Pair, sql: str, params: object = None) -> list[tuple[object, ...]]:
    table = pair.ours(sql, params).table
    return list(zip(*(c.to_pylist() for c in table.columns), strict=True))


def stored(pair: Pair) -> dict[str, list[tuple[object, ...]]]:
    return {name: fetch(pair, f'FROM "{name}"') for name in pair.tables.names()}


# Several statements, comments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1; SELECT 2", 2),
        ("SELECT 1;; SELECT 2;", 2),
        ("SELECT 'a;b' AS x; -- SELECT 3", "a;b"),
        ("/* SELECT 0; */ SELECT 1 -- ;\n;", 1),
        ("CREATE TEMP TABLE once AS SELECT 5 AS x; SELECT x FROM once", 5),
        ("CREATE TABLE once AS SELECT 6 AS x; SELECT x FROM once", 6),
        ("CREATE TABLE t AS SELECT embed('tiny', 'a') AS e; SELECT len(e) FROM t", 4),
        ("SET VARIABLE v = embed('tiny', 'a'); SELECT len(getvariable('v'))", 4),
    ],
)
def test_the_result_is_that_of_the_last_statement(own: Pair, text: str, expected: object) -> None:
    assert fetch(own, text) == [(expected,)]


@pytest.mark.parametrize("text", ["", " ;; ", "-- nothing", "/* SELECT 1 */"])
def test_no_statement_is_an_error(pair: Pair, text: str) -> None:
    with pytest.raises(SqlError, match="no statement in the text"):
        pair.ours(text)


def test_question_marks_count_in_each_statement(own: Pair) -> None:
    assert fetch(own, "SELECT ?; SELECT ?, embed('tiny', ?)", ["a", "b"]) == [
        ("a", vector("tiny", "b"))
    ]


# Parameters


@pytest.mark.parametrize(
    ("sql", "params", "message"),
    [
        ("SELECT embed('tiny', $q)", {}, "parameter 'q', which was not given; given: none"),
        ("SELECT embed('tiny', ?)", [], "parameter '1', which was not given"),
        ("SELECT embed('tiny', $q)", {"q": "a", "r": 1}, "does not use: r; it uses q"),
        ("SELECT embed('tiny', 'a')", ["b"], "does not use: 1; it uses none"),
        ("SELECT embed('tiny', ?)", "a", "parameters are a str; expected a list"),
        ("SELECT embed('tiny', ?)", 3, "parameters are a int"),
        ("SELECT embed('tiny', $q)", {"q": 3}, "the text is int32; expected VARCHAR"),
    ],
)
def test_parameters_must_fit(pair: Pair, sql: str, params: object, message: str) -> None:
    with pytest.raises(SqlError, match=message):
        pair.ours(sql, params)


# Mistakes in a query


@pytest.mark.parametrize(
    ("sql", "kind", "message"),
    [
        ("SELECT embed('nope', text) FROM reviews", CatalogError, "no model 'nope'; models are"),
        ("SELECT embed('tiny', nope) FROM reviews", SqlError, 'column "nope" not found'),
        ("SELECT nope, embed('tiny', text) FROM reviews", SqlError, 'column "nope" not found'),
        ("SELECT embed('tiny', text) FROM nope", SqlError, "(?s)nope does not exist.*reviews"),
        ("SELECT embed('tiny', id) FROM reviews", SqlError, r"text is int64.*CAST\(id AS VARCHAR"),
        ("SELECT embed('tiny', 'x'::BLOB)", SqlError, "text is binary; expected VARCHAR"),
        ("SELECT embed('tiny', [text]) FROM reviews", SqlError, "expected VARCHAR"),
        ("SELECT embed('tiny', text) + 1 FROM reviews", SqlError, "No function matches"),
        ("SELECT embed('tiny', text) FROM reviews GROUP BY shop", SqlError, '"text" must appear'),
        ("SELECT embed('tiny', text), FROM", SqlError, "syntax error"),
        ("SELECT embed('tiny', text) OVER () FROM reviews", SqlError, "."),
        ("SELECT embed('tiny', text)[1] / 'a' FROM reviews", SqlError, "."),
        ("SELECT embed('tiny', text), 'x'::INT AS i FROM reviews", SqlError, "Could not convert"),
        ("SELECT (SELECT id FROM reviews), embed('tiny', text) FROM reviews", SqlError, "row"),
    ],
)
def test_a_mistake_is_one_error_in_the_words_of_the_statement(
    pair: Pair, sql: str, kind: type[GpudbError], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        pair.ours(sql)
    assert "column_1" not in str(caught.value)
    # Nothing of the failed statement is in the way of the next.
    pair.check("SELECT id, embed('tiny', text) AS e FROM reviews", ordered=True)


# CREATE TABLE


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, embed('tiny', text) AS e FROM reviews",
        "SELECT embed('tiny', 'a'), 1 + 1",
        "FROM reviews",
        "TABLE reviews",
        "VALUES (1, 'a'), (2, NULL)",
        "(SELECT 1 AS x)",
        "WITH v AS (SELECT embed('tiny', text) AS e FROM reviews) SELECT * FROM v",
        "SELECT embed('tiny', text) AS e FROM empty",
        "SELECT 1 AS a, 2 AS a",
        "SELECT NULL AS n",
        "SELECT id FROM reviews UNION ALL SELECT 9",
    ],
)
def test_create_table_stores_what_duckdb_would(own: Pair, query: str) -> None:
    own.duck.execute(f"CREATE TABLE made AS {query}")
    result = own.ours(f"CREATE TABLE made AS {query}")
    assert result.table.num_columns == 0
    expected, found = own.theirs("FROM made"), own.ours("FROM made").table
    assert found.schema.names == expected.schema.names
    assert found.to_pylist() == expected.to_pylist()


def test_create_or_replace_and_if_not_exists(own: Pair) -> None:
    own.ours("CREATE TABLE t AS SELECT 1 AS x")
    own.models.seen.clear()
    own.ours("CREATE TABLE IF NOT EXISTS T AS SELECT embed('tiny', text) AS x FROM reviews")
    assert own.models.texts == []
    assert fetch(own, "FROM t") == [(1,)]
    with pytest.raises(CatalogError, match="table 't' is there already"):
        own.ours("CREATE TABLE T AS SELECT 2 AS x")
    own.ours("CREATE OR REPLACE TABLE t AS SELECT x + 1 AS x FROM t")
    assert fetch(own, "FROM t") == [(2,)]
    own.ours("CREATE OR REPLACE TABLE fresh AS SELECT 3 AS x")
    assert fetch(own, "FROM fresh") == [(3,)]


@pytest.mark.parametrize(
    ("sql", "kind", "message"),
    [
        ("CREATE TABLE t (a INT)", UnsupportedError, "CREATE TABLE … AS SELECT"),
        ("CREATE TABLE t (a, b) AS SELECT 1, 2", UnsupportedError, "columns in the SELECT"),
        ("CREATE TABLE main.t AS SELECT 1", UnsupportedError, "write the name alone"),
        ("CREATE TABLE t AS FROM reviews WITH NO DATA", UnsupportedError, "LIMIT 0"),
        ("CREATE TABLE t AS SELECT INTERVAL 1 DAY AS i", InputError, "cannot be stored.*i month"),
        ("CREATE TABLE t AS SELECT embed('nope', 'a')", CatalogError, "no model 'nope'"),
        ("CREATE TABLE t AS SELECT embed('tiny', 1)", SqlError, "expected VARCHAR"),
        ("CREATE OR REPLACE TABLE reviews AS SELECT 'x'::INT", SqlError, "Could not convert"),
        ("CREATE TABLE reviews AS SELECT 1 AS x", CatalogError, "already"),
        ("INSERT INTO reviews VALUES (1)", SqlError, "found 1 columns.*table has id, stars"),
        ("INSERT INTO reviews (nope) VALUES (1)", SqlError, "for nope; the table has"),
        ("INSERT INTO reviews (id, ID) VALUES (1, 2)", SqlError, "for id, ID; the table has"),
        ("INSERT INTO reviews (id) VALUES ('five')", SqlError, "do not fit.*id int64"),
        ("INSERT INTO reviews (id) SELECT embed('tiny', 'a')", SqlError, "do not fit"),
        ("INSERT INTO reviews (id) VALUES (1), ('x')", SqlError, "."),
        ("INSERT INTO nope VALUES (1)", CatalogError, "no table 'nope'"),
        ("INSERT INTO main.reviews (id) VALUES (1)", UnsupportedError, "write the name alone"),
        ("INSERT INTO reviews DEFAULT VALUES", UnsupportedError, "INSERT INTO t SELECT"),
        ("INSERT OR REPLACE INTO reviews (id) VALUES (1)", UnsupportedError, "no keys"),
        ("INSERT INTO reviews (id) VALUES (1) RETURNING id", UnsupportedError, "returns nothing"),
        ("INSERT INTO reviews (id) VALUES (1) ON CONFLICT DO NOTHING", UnsupportedError, "no keys"),
        ("UPDATE reviews SET id = 1", UnsupportedError, "CREATE OR REPLACE TABLE"),
        ("DELETE FROM reviews", UnsupportedError, "CREATE OR REPLACE TABLE"),
        ("TRUNCATE reviews", UnsupportedError, "CREATE OR REPLACE TABLE"),
        ("ALTER TABLE reviews DROP COLUMN id", UnsupportedError, "CREATE OR REPLACE TABLE"),
        ("DROP VIEW reviews", UnsupportedError, "reviews is a table; write DROP TABLE"),
        ("DROP TABLE nope", SqlError, "(?s)does not exist.*reviews"),
        ("DROP TABLE reviews, shops", SqlError, "one object at a time"),
        ("DROP TABLE gpudb.models", UnsupportedError, "write the name alone"),
        ("DROP SCHEMA gpudb CASCADE", UnsupportedError, "not supported"),
        ("COPY reviews FROM 'x.parquet'", SqlError, "."),
        ("EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1", UnsupportedError, "explain its SELECT"),
        ("EXPLAIN ANALYZE INSERT INTO reviews (id) VALUES (1)", UnsupportedError, "its SELECT"),
        ("EXPLAIN CREATE TABLE t AS SELECT embed('tiny', 'a')", UnsupportedError, "its SELECT"),
    ],
)  # fmt: skip
def test_what_fails_changes_nothing(
    pair: Pair, sql: str, kind: type[GpudbError], message: str
) -> None:
    before = stored(pair)
    with pytest.raises(kind, match=message):
        pair.ours(sql)
    assert stored(pair) == before


def test_statements_before_a_failing_one_stay_done(own: Pair) -> None:
    with pytest.raises(CatalogError, match="already"):
        own.ours("CREATE TABLE n AS SELECT 1 AS x; CREATE TABLE n AS SELECT 2 AS x")
    assert fetch(own, "FROM n") == [(1,)]


# INSERT


@pytest.mark.parametrize(
    "insert",
    [
        "INSERT INTO made VALUES (9, 'a', [1, 2, 3, 4])",
        "INSERT INTO made VALUES ('9', 1, NULL), (NULL, NULL, NULL)",
        "INSERT INTO made (text, id) VALUES ('z', 7), ('w', 8)",
        "INSERT INTO made (E) VALUES (embed('tiny', 'a')), (NULL)",
        "INSERT INTO made SELECT * FROM made",
        "INSERT INTO made FROM made WHERE id > 3",
        "INSERT INTO made TABLE made",
        "INSERT INTO made BY NAME SELECT 'q' AS text, 9 AS ID",
        "INSERT INTO made (e, id) SELECT embed('tiny', text), id FROM reviews WHERE stars > 3",
        "INSERT INTO made (id) SELECT id FROM reviews WHERE embed('tiny', text)[1] > 3",
        "WITH q AS (SELECT 1 AS i) INSERT INTO made (id) SELECT i FROM q",
        "INSERT INTO made (id) WITH q AS (SELECT 1 AS i) SELECT i FROM q",
        "INSERT INTO made SELECT * FROM made LIMIT 0",
    ],
)
def test_insert_adds_what_duckdb_would(own: Pair, insert: str) -> None:
    create = "CREATE TABLE made AS SELECT id, text, embed('tiny', text) AS e FROM reviews"
    for run in (own.duck.execute, own.ours):
        run(create)
        run(insert)
    own.check("FROM made", ordered=True)


def test_insert_into_a_temporary_table_stays_there(own: Pair) -> None:
    before = stored(own)
    own.ours("CREATE TEMP TABLE reviews AS SELECT 'a' AS text, embed('tiny', 'a') AS e")
    own.ours("INSERT INTO reviews SELECT text, embed('tiny', text) FROM shops WHERE shop = 'x'")
    assert fetch(own, "FROM reviews") == [(t, vector("tiny", t)) for t in ("a", "the cat")]
    own.ours("DROP TABLE reviews")
    assert stored(own) == before


# DROP


def test_drop_table(own: Pair) -> None:
    own.ours('DROP TABLE REVIEWS; DROP TABLE "Odd one"; DROP TABLE IF EXISTS nope')
    assert own.tables.names() == ["empty", "shops"]
    with pytest.raises(SqlError, match="does not exist"):
        own.ours("SELECT embed('tiny', text) FROM reviews")


def test_temporary_views_and_macros_come_and_go(own: Pair) -> None:
    own.ours("CREATE TEMP VIEW v AS SELECT text FROM reviews; CREATE MACRO twice(x) AS 2 * x")
    assert fetch(own, "SELECT twice(count(embed('tiny', text))) FROM v") == [(14,)]
    own.ours("DROP VIEW v; DROP MACRO twice")
    with pytest.raises(SqlError):
        own.ours("FROM v")


def test_copy_writes_vectors(own: Pair, tmp_path: Path) -> None:
    file = tmp_path / "v.parquet"
    # Without the null: pyarrow cannot read the null arrays that DuckDB 2.0.1 writes.
    own.ours(f"COPY (SELECT id, embed('tiny', text) AS e FROM reviews WHERE id <> 3) TO '{file}'")
    assert pq.read_table(file).column("e").to_pylist()[1] == vector("tiny", "a dog")


# EXPLAIN


def test_explain_runs_nothing(own: Pair) -> None:
    own.models.seen.clear()
    result = own.ours(
        "EXPLAIN SELECT id, embed('tiny', text) AS e, embed('tiny', $q) FROM reviews "
        "WHERE stars > 3 LIMIT 2",
        {"q": "a"},
    )
    assert own.models.texts == []
    lines = result.table.column("plan").to_pylist()
    assert "\n".join(lines) == result.text
    assert lines[:3] == [
        "split",
        "model   gpudb_constant_1.vector = embed of tiny over distinct $q",
        "DuckDB  gpudb_rows_1 = SELECT text AS column_1, id AS column_2 FROM reviews "
        "WHERE stars > 3 LIMIT 2",
    ]
    assert lines[3] == "model   gpudb_rows_1.vector_1 = embed of tiny over distinct text"
    assert lines[-1] == "plan of tiny"
    assert result.text.count("plan of tiny") == 1


def test_explain_analyze_runs_and_measures(own: Pair) -> None:
    own.models.seen.clear()
    result = own.ours("EXPLAIN ANALYZE SELECT embed('tiny', text) AS e FROM reviews WHERE id < 5")
    assert own.models.texts == ["the cat", "a dog"]
    assert "4 rows, 2 distinct, 0." in result.text
    assert "plan of tiny, measured Counts(tokens=12" in result.text
    assert result.stats.distinct_texts == 2


def test_explain_without_a_model_is_duckdbs(pair: Pair) -> None:
    for sql in ("EXPLAIN SELECT 1", "EXPLAIN ANALYZE SELECT 1", "EXPLAIN (FORMAT JSON) SELECT 1"):
        result = pair.ours(sql)
        assert result.table.column_names == ["explain_key", "explain_value"]
        assert len(result.text) > 20


# The catalog


def test_catalog_tables_are_queried_and_joined(own: Pair) -> None:
    assert fetch(own, "SELECT name, rows FROM gpudb.tables ORDER BY name LIMIT 2") == [
        ("Odd one", 2),
        ("empty", 0),
    ]
    own.ours("CREATE TABLE copy AS SELECT name FROM gpudb.tables")
    joined = (
        "SELECT t.name, embed('tiny', s.text) AS e FROM gpudb.tables t JOIN shops s "
        "ON t.rows = 8 AND s.shop = 'x'"
    )
    assert fetch(own, joined) == [("reviews", vector("tiny", "the cat"))]
    assert fetch(own, "SELECT count(*) FROM gpudb.tables") == [(5,)]
    for name in ("models", "versions", "tensors", "partitions", "blocks", "pages"):
        assert fetch(own, f"FROM gpudb.{name}") == []


# Threads


def test_threads_take_turns(own: Pair) -> None:
    def work(number: int) -> object:
        if number % 3 == 0:
            own.ours(f"CREATE TABLE made_{number} AS SELECT embed('tiny', text) AS e FROM reviews")
            return fetch(own, f"SELECT count(e) FROM made_{number}")
        if number % 3 == 1:
            return fetch(own, "SELECT embed('tiny', ?)", [str(number)])
        return fetch(own, f"SELECT count(embed('other', text)) FROM reviews LIMIT {number}")

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(48)))
    for number, rows in enumerate(found):
        assert rows == ([(vector("tiny", str(number)),)] if number % 3 == 1 else [(7,)])
    assert len(own.tables.names()) == 4 + 16


def test_a_table_made_in_python_is_seen_at_once(own: Pair) -> None:
    for rows in (1, 2, 3):
        own.tables.create("t", pa.table({"x": range(rows)}), replace=True)
        assert fetch(own, "SELECT count(*) FROM t") == [(rows,)]
