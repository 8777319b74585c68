"""Statements that ran before: nothing is parsed again, and what has changed since is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gpudb.errors import SqlError, UnsupportedError
from gpudb.sql import engine, kept
from tests.sql.oracle import HashModels, Pair, rows, vector


def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that are parsed from now on."""
    texts: list[str] = []
    parse = engine.parse

    def noted(text: str) -> Any:
        texts.append(text)
        return parse(text)

    monkeypatch.setattr(engine, "parse", noted)
    return texts


def queries(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What DuckDB is asked from now on."""
    asked: list[str] = []
    query = engine.Connection.query

    def noted(self: Any, sql: str, parameters: Any) -> pa.Table:
        asked.append(sql)
        return query(self, sql, parameters)

    monkeypatch.setattr(engine.Connection, "query", noted)
    return asked


def fetch(pair: Pair, sql: str, params: object = None) -> list[dict[str, object]]:
    return pair.ours(sql, params).table.to_pylist()


STATEMENTS = [
    "SELECT id, embed('tiny', text) AS e FROM reviews ORDER BY id",
    "SELECT embed('tiny', 'a') AS e",
    "SELECT embed('tiny', 'a'), embed('tiny', 'b', dtype := 'int8')",
    "SELECT count(*) FROM reviews WHERE dot(embed('tiny', text), embed('tiny', 'light')) > 100",
    "WITH e AS (SELECT embed('tiny', text) AS v FROM reviews) SELECT len(v) FROM e",
    "SELECT * FROM (SELECT * EXCLUDE (stars), score('tiny', text, shop) FROM reviews) s",
]


@pytest.mark.parametrize("sql", STATEMENTS)
def test_a_statement_is_parsed_once(own: Pair, monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    texts = parsed(monkeypatch)
    first = own.ours(sql)
    again = own.ours(sql)
    assert texts == [sql]
    assert again.table.schema == first.table.schema
    assert rows(again.table, ordered=False) == rows(first.table, ordered=False)
    assert len(again.stats.steps) == len(first.stats.steps)
    assert again.text.split("  -- ")[0] == first.text.split("  -- ")[0]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT embed('tiny', $q) AS e",
        "SELECT embed('tiny', $q) AS e, score('tiny', $q, 'b'), embed('tiny', 'light')",
    ],
)
def test_a_text_by_itself_needs_no_query(
    own: Pair, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    first = own.ours(sql, {"q": "a"})
    asked = queries(own, monkeypatch)
    again = own.ours(sql, {"q": "naïve 🦆"})
    assert asked == []
    assert again.table.schema == first.table.schema
    assert again.table["e"].to_pylist() == [vector("tiny", "naïve 🦆")]
    assert own.ours(sql, {"q": ""}).table["e"].to_pylist() == [vector("tiny", "")]


def test_columns_alone_are_not_read_by_duckdb_again(
    own: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = "SELECT id, embed('tiny', text) AS e, text FROM reviews WHERE id > ?"
    first = own.ours(sql, [0])
    asked = queries(own, monkeypatch)
    again = own.ours(sql, [0])
    assert len(asked) == 1
    assert again.table == first.table


def test_other_parameters(own: Pair) -> None:
    sql = "SELECT embed($m, $q, dimensions := $n) AS e, $x AS x"
    for parameters, expected in (
        ({"m": "tiny", "q": "a", "n": None, "x": 1}, vector("tiny", "a")),
        ({"m": "other", "q": "a", "n": None, "x": 1}, vector("other", "a")),
        ({"m": "tiny", "q": "b", "n": 2, "x": "text"}, vector("tiny", "b")[:2]),
        ({"m": "tiny", "q": "b", "n": 2, "x": [1, 2]}, vector("tiny", "b")[:2]),
        ({"m": "tiny", "q": None, "n": 2, "x": 1.5}, None),
    ):
        for _ in range(2):
            assert fetch(own, sql, parameters) == [{"e": expected, "x": parameters["x"]}]


@pytest.mark.parametrize("given", [None, {}, {"q": 3}, {"q": "a", "r": 1}])
def test_mistakes_in_parameters_stay_mistakes(own: Pair, given: Any) -> None:
    own.ours("SELECT embed('tiny', $q)", {"q": "a"})
    own.ours("SELECT embed('tiny', $q)", {"q": "b"})
    with pytest.raises(SqlError):
        own.ours("SELECT embed('tiny', $q)", given)


def test_half_a_surrogate_pair_is_the_same_error_again(own: Pair) -> None:
    sql = "SELECT embed('tiny', $q)"
    own.ours(sql, {"q": "a"})
    messages = []
    for _ in range(2):
        with pytest.raises((SqlError, UnicodeEncodeError)) as error:
            own.ours(sql, {"q": "\ud800"})
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_a_table_that_is_replaced(own: Pair) -> None:
    own.ours("CREATE TABLE t AS SELECT 'a' AS text, 1 AS x")
    sql = "SELECT *, embed('tiny', text) AS e FROM t"
    assert fetch(own, sql) == fetch(own, sql)
    own.tables.create("t", pa.table({"y": [2], "text": ["b"]}), replace=True)
    assert fetch(own, sql) == [{"y": 2, "text": "b", "e": vector("tiny", "b")}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT *, embed('tiny', text) AS e FROM '{path}'",
        "SELECT * FROM (SELECT embed('tiny', 'a') AS e), '{path}'",
        "SELECT text, embed('tiny', text) AS e FROM '{path}'",
    ],
)
@pytest.mark.parametrize(
    "later",
    [
        {"text": ["b"], "y": [1]},
        {"text": ["b"], "x": ["one"]},
        {"text": ["b"], "x": [1], "y": [1]},
        {"x": [1], "text": ["b"]},
        {"text": ["b"]},
    ],
)
def test_a_file_whose_columns_change(
    own: Pair, tmp_path: Path, sql: str, later: dict[str, list[object]]
) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"text": ["a"], "x": [1]}), path)
    sql = sql.format(path=path)
    fetch(own, sql)
    fetch(own, sql)
    pq.write_table(pa.table(later), path)
    found = own.ours(sql).table
    fresh = own.ours(f"{sql} -- not kept").table
    assert found == fresh
    assert found.schema == fresh.schema


def test_a_file_that_is_gone_is_duckdbs_error(own: Pair, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"text": ["a"]}), path)
    sql = f"SELECT embed('tiny', text) FROM '{path}'"
    fetch(own, sql)
    path.unlink()
    with pytest.raises(SqlError, match="No files found"):
        fetch(own, sql)


@pytest.mark.parametrize(
    ("before", "after", "sql", "expected"),
    [
        (
            "CREATE TEMP VIEW v AS SELECT 'a' AS text",
            "CREATE OR REPLACE TEMP VIEW v AS SELECT 'b' AS text, 1 AS x",
            "SELECT *, embed('tiny', text) AS e FROM v",
            [{"text": "b", "x": 1, "e": vector("tiny", "b")}],
        ),
        (
            "CREATE MACRO m(t) AS t || 'x'",
            "CREATE OR REPLACE MACRO m(t) AS t || 'y'",
            "SELECT embed('tiny', m('a')) AS e",
            [{"e": vector("tiny", "ay")}],
        ),
        (
            "SET VARIABLE v = 'a'",
            "SET VARIABLE v = 'b'",
            "SELECT embed('tiny', getvariable('v')) AS e, getvariable('v') AS v",
            [{"e": vector("tiny", "b"), "v": "b"}],
        ),
        (
            "CREATE TEMP TABLE shops AS SELECT 'a' AS text",
            "DROP TABLE shops",
            "SELECT embed('tiny', text) AS e FROM shops WHERE text = 'the cat'",
            [{"e": vector("tiny", "the cat")}],
        ),
        (
            "SELECT 1",
            "CREATE TEMP TABLE shops AS SELECT 'b' AS text, embed('tiny', text) AS v FROM shops "
            "WHERE shop = 'x'",
            "SELECT *, embed('tiny', text) AS e FROM shops",
            [{"text": "b", "v": vector("tiny", "the cat"), "e": vector("tiny", "b")}],
        ),
    ],
    ids=["view", "macro", "variable", "temporary table", "table of the same name"],
)
def test_what_a_session_changes(
    own: Pair, before: str, after: str, sql: str, expected: list[dict[str, object]]
) -> None:
    own.ours(before)
    fetch(own, sql)
    fetch(own, sql)
    own.ours(after)
    assert fetch(own, sql) == expected
    assert fetch(own, sql) == expected


def test_a_setting_that_is_refused(own: Pair) -> None:
    sql = "SELECT embed('tiny', text) AS e FROM reviews ORDER BY id"
    fetch(own, sql)
    own.ours("SET default_order = 'DESC'")
    with pytest.raises(UnsupportedError, match="default_order"):
        fetch(own, sql)


def test_a_model_that_is_another_now(own: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is imported again changes the catalog, as a table does."""
    sql = "SELECT embed('tiny', text) AS e, 1 AS x FROM reviews WHERE id = 1"
    fetch(own, sql)
    returns = HashModels.returns
    monkeypatch.setattr(HashModels, "returns", lambda self, f, m, o: returns(self, f, "other", o))
    monkeypatch.setattr(
        HashModels,
        "formed",
        lambda self, f, m, rows, o: pa.array(
            [vector("other", "the cat")], pa.list_(pa.float32(), 3)
        ),
    )
    own.tables.create("unrelated", pa.table({"x": [1]}))
    found = own.ours(sql).table
    assert found.schema.field("e").type.list_size == 3
    assert found.to_pylist() == [{"e": vector("other", "the cat"), "x": 1}]


def test_rows_that_change_are_found(own: Pair) -> None:
    sql = "SELECT embed('tiny', text) AS e FROM t"
    own.ours("CREATE TABLE t AS SELECT 'a' AS text")
    assert fetch(own, sql) == [{"e": vector("tiny", "a")}]
    own.ours("INSERT INTO t VALUES ('b'), (NULL)")
    assert fetch(own, sql) == [{"e": vector("tiny", t) if t else None} for t in ("a", "b", None)]


def test_only_the_last_statements_are_kept(own: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 2)
    texts = parsed(monkeypatch)
    first, second, third = (f"SELECT embed('tiny', 'a') AS e, {n} AS n" for n in range(3))
    for sql in (first, second, first, third, first, second):
        fetch(own, sql)
    assert texts == [first, second, third, second]


def test_a_statement_that_varies_varies_again(own: Pair) -> None:
    sql = "SELECT random() AS r, embed('tiny', 'a') AS e"
    assert len({fetch(own, sql)[0]["r"] for _ in range(4)}) == 4
