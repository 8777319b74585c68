"""Statements split between DuckDB and the models answer as plain DuckDB does."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

import gpudb
from gpudb.errors import UnsupportedError
from tests.sql.oracle import Pair
from tests.tiny_model import write_tiny_model

ANY_ORDER = "in any order"


def _queries() -> list[object]:
    """The statements of ``queries.sql``, each with the heading above it."""
    found, heading = [], ""
    for line in Path(__file__).with_name("queries.sql").read_text().splitlines():
        if line.startswith("-- "):
            heading = line.removeprefix("-- ")
        elif line:
            found.append(pytest.param(line, heading != ANY_ORDER, id=f"{len(found)}-{heading}"))
    return found


@pytest.mark.parametrize(("sql", "ordered"), _queries())
def test_answers_as_duckdb_does(pair: Pair, sql: str, ordered: bool) -> None:
    pair.check(sql, ordered=ordered)


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        ("SELECT embed('tiny', ?) AS e, ? AS x", ["a", 3]),
        ("SELECT embed('tiny', text) AS e, ? AS x FROM reviews WHERE id = ? LIMIT ?", ["y", 1, 1]),
        ("SELECT ?, '?', embed('tiny', ?) /* ? */ -- ?", ["a", "b"]),
        ("SELECT embed('tiny', $q) AS e, $q AS q", {"q": "a"}),
        ("SELECT embed($m, text) AS e FROM reviews", {"m": "other"}),
        ("SELECT embed($2, $1) AS e, $1 AS q", ["a", "tiny"]),
        ("SELECT embed('tiny', $q) AS e", {"q": None}),
        ("SELECT id, embed('tiny', text) FROM reviews WHERE id IN (SELECT unnest($i))", {"i": [7]}),
        ("SELECT id, dot(embed('tiny', text), embed('tiny', $q)) FROM reviews", {"q": "light"}),
    ],
)
def test_parameters(pair: Pair, sql: str, params: object) -> None:
    pair.check(sql, params, ordered=True)


@pytest.mark.parametrize(
    ("rest", "reached"),
    [
        ("", ["the cat", "a dog", "", "naïve 🦆 'q\"", "the dog", "a  b"]),
        ("WHERE stars = 4", ["a dog", "the dog"]),
        ("WHERE stars = 4 AND embed('tiny', text)[1] > 100", ["a dog", "the dog"]),
        ("WHERE text IS NULL", []),
        ("WHERE id > 100", []),
        ("LIMIT 0", []),
        ("LIMIT 2 OFFSET 6", ["the dog", "a  b"]),
        ("ORDER BY stars, id LIMIT 2", ["", "a  b"]),
        ("ORDER BY id DESC LIMIT 1", ["a  b"]),
        ("ORDER BY 1 DESC LIMIT 1", ["a  b"]),
        ("WHERE shop IN (SELECT shop FROM shops WHERE city = 'Bonn') LIMIT 1", ["a dog"]),
        ("JOIN shops USING (shop) WHERE city = 'Bonn' AND id < 3", ["a dog"]),
    ],
)
def test_filters_joins_and_limits_act_before_the_model(
    pair: Pair, rest: str, reached: list[str]
) -> None:
    sql = f"SELECT id, embed('tiny', reviews.text) AS e FROM reviews {rest}"
    if "JOIN" not in rest:
        pair.check(sql, ordered=True)
    pair.models.seen.clear()
    pair.ours(sql.replace("embed('tiny', text)[1] > 100", "embed('tiny', reviews.text)[1] > 100"))
    assert sorted(pair.models.texts) == sorted(reached)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT embed('tiny', text) AS e FROM reviews ORDER BY e LIMIT 2",
        "SELECT embed('tiny', text) AS e FROM reviews WHERE e[1] > 3 LIMIT 2",
        "SELECT DISTINCT embed('tiny', text) AS e FROM reviews LIMIT 2",
        "SELECT count(embed('tiny', text)) FROM reviews LIMIT 1",
        "SELECT histogram(embed('tiny', text)[1]::INT) FROM reviews LIMIT 1",
        "SELECT id, embed('tiny', text), row_number() OVER () FROM reviews LIMIT 1",
    ],
)
def test_a_limit_that_needs_every_row_waits(pair: Pair, sql: str) -> None:
    pair.models.seen.clear()
    pair.ours(sql)
    assert len(pair.models.texts) == 6


def test_an_aggregate_inside_a_macro_makes_the_limit_wait(own: Pair) -> None:
    for run in (own.ours, own.duck.execute):
        run("CREATE MACRO total(x) AS sum(x)")
    own.check("SELECT total(embed('tiny', text)[1]) AS t FROM reviews LIMIT 1", ordered=True)


def test_equal_texts_reach_a_model_once_in_a_statement(pair: Pair) -> None:
    pair.check(
        "SELECT embed('tiny', text) AS a, embed('tiny', r.text || '') AS b, embed('tiny', 'a dog') "
        "FROM reviews r WHERE embed('tiny', text)[1] > 0 "
        "UNION ALL SELECT embed('tiny', text), NULL, NULL FROM shops",
        ordered=True,
    )
    assert sorted(pair.models.texts) == sorted(
        ["the cat", "a dog", "", "naïve 🦆 'q\"", "the dog", "a  b", "shop y"]
    )


def test_statistics_count_rows_and_texts(pair: Pair) -> None:
    stats = pair.ours("SELECT embed('tiny', text), embed('other', text) FROM reviews").stats
    assert (stats.texts, stats.distinct_texts, len(stats.models)) == (16, 12, 2)
    assert stats.tokens == sum(map(len, pair.models.texts[-6:])) * 2
    assert stats.padded_tokens == 0
    assert [m.rows for m in stats.steps] == [8, 8, 8, 8]


def test_random_is_computed_once_per_row(pair: Pair) -> None:
    sql = "SELECT random() AS r, embed('tiny', text) AS e FROM reviews ORDER BY r LIMIT 8"
    for _ in range(5):
        found = pair.ours(sql).table.column("r").to_pylist()
        assert found == sorted(found)
    sampled = pair.ours(
        "SELECT id, text, embed('tiny', text) AS e FROM reviews WHERE text IS NOT NULL "
        "ORDER BY random() LIMIT 3"
    )
    whole = pair.ours("SELECT text, embed('tiny', text) AS e FROM reviews").table
    known = dict(zip(*(column.to_pylist() for column in whole.columns), strict=True))
    assert all(row["e"] == known[row["text"]] for row in sampled.table.to_pylist())


@pytest.mark.parametrize(
    "setting", ["default_null_order = 'nulls_first'", "default_order = 'desc'"]
)
def test_settings_that_change_what_order_by_means_are_not_ignored(own: Pair, setting: str) -> None:
    sql = "SELECT id, embed('tiny', text) AS e FROM reviews ORDER BY stars NULLS LAST, id"
    own.ours(f"SET {setting}")
    own.check("SELECT id, embed('tiny', text) AS e FROM reviews", ordered=True)
    with pytest.raises(UnsupportedError, match=f"RESET {setting.split()[0]}"):
        own.ours(sql)
    own.ours(f"RESET {setting.split()[0]}")
    own.check(sql, ordered=True)


def test_a_text_that_varies_is_no_constant(pair: Pair) -> None:
    pair.models.seen.clear()
    pair.ours("SELECT embed('tiny', random()::VARCHAR) FROM range(50)")
    assert len(set(pair.models.texts)) == 50


def test_lists_of_texts_are_unnested(pair: Pair) -> None:
    pair.check("SELECT id, embed('tiny', unnest(['a', 'b'])) AS e FROM reviews", ordered=True)
    pair.check("SELECT embed('tiny', unnest(['a', 'b'])) AS e", ordered=True)
    with pytest.raises(UnsupportedError, match="beside another unnest"):
        pair.ours("SELECT unnest(['x']) AS x, embed('tiny', unnest(['a', 'b']))")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT text FROM reviews UNION SELECT text FROM shops ORDER BY embed('tiny', text)",
         "outside a SELECT.*CTE"),
        ("SELECT * FROM embed('tiny', 'a')", "embed in FROM"),
        ("SELECT 1 FROM reviews, unnest(embed('tiny', text))", "embed in FROM"),
        ("SELECT r.id FROM reviews r LEFT JOIN shops s ON embed('tiny', r.text)[1] > 3",
         "ON of a LEFT JOIN.*CTE"),
        ("SELECT embed('tiny', max(text)) FROM reviews", r"MAX\(text\) is computed after.*CTE"),
        ("SELECT embed('tiny', lag(text) OVER ()) FROM reviews", "is computed after.*CTE"),
        ("SELECT COLUMNS(*)::VARCHAR, embed('tiny', text) FROM reviews", "name the columns"),
        ("SELECT * REPLACE (embed('tiny', text) AS text) FROM reviews", "name the columns"),
        ("SELECT text, embed('tiny', text) FROM reviews GROUP BY ROLLUP (text)",
         "ROLLUP, CUBE or GROUPING SETS: group in a CTE"),
        ("SELECT text, embed('tiny', text) FROM reviews GROUP BY GROUPING SETS ((text), ())",
         "ROLLUP, CUBE or GROUPING SETS: group in a CTE"),
        ("WITH RECURSIVE t AS (SELECT 1 AS i, embed('tiny', text)[1] AS e FROM shops UNION ALL "
         "SELECT i + 1, e FROM t WHERE i < 3) SELECT * FROM t", "recursive CTE 't'"),
        ("SELECT (SELECT max(embed('tiny', r.text)[1]) FROM reviews r WHERE r.shop = s.shop) "
         "FROM shops s", "refers to the query around it.*CTE"),
        ("SELECT s.shop, l.e FROM shops s, LATERAL (SELECT embed('tiny', s.text) AS e) l",
         "refers to the query around it.*CTE"),
        ("SELECT 1 FROM shops s WHERE EXISTS (SELECT 1 FROM reviews r WHERE r.shop = s.shop AND "
         "embed('tiny', r.text)[1] > 3)", "refers to the query around it.*CTE"),
        ("SELECT embed('tiny', embed('tiny', 'a')::VARCHAR)", "inside another"),
        ("WITH gpudb_rows_1 AS (SELECT 1 AS x) SELECT embed('tiny', text), x FROM reviews, "
         "gpudb_rows_1", "gpudb_rows_1: names that begin with gpudb_rows_"),
    ],
)  # fmt: skip
def test_what_cannot_be_split_says_what_to_write(pair: Pair, sql: str, message: str) -> None:
    pair.models.seen.clear()
    with pytest.raises(UnsupportedError, match=f"(?s){message}"):
        pair.ours(sql)
    assert pair.models.texts == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, embed('tiny', text) AS e FROM t ORDER BY id",
        "SELECT id FROM t ORDER BY cosine(embed('tiny', text), embed('tiny', 'the cat')), id",
        "SELECT text, max(dot(embed('tiny', text), embed('tiny', 'mat'))) AS d FROM t GROUP BY ALL "
        "ORDER BY text",
    ],
)
def test_a_real_model_gives_what_its_vectors_in_a_column_give(tmp_path: Path, sql: str) -> None:
    texts = ["the cat sat", None, "", "the cat sat", "dog", "a b c the mat " * 3, "naïve 🦆"]
    with gpudb.connect(device="numpy", threads=2) as db:
        db.import_model(write_tiny_model(tmp_path / "model"), "tiny")
        vectors = db.embed("tiny", [*texts, "the cat", "mat"]).arrow().column("embedding")
        rows = pa.table({"id": range(len(texts)), "text": texts})
        db.create_table("t", rows)
        db.create_table("t_vectors", rows.append_column("e", vectors.slice(0, len(texts))))
        db.create_table("q", pa.table({"cat": vectors.slice(7, 1), "mat": vectors.slice(8)}))
        plain = (
            sql.replace("embed('tiny', text)", "t_vectors.e")
            .replace("embed('tiny', 'the cat')", "(SELECT cat FROM q)")
            .replace("embed('tiny', 'mat')", "(SELECT mat FROM q)")
            .replace("FROM t ", "FROM t_vectors ")
        )
        found, expected = db.sql(sql), db.sql(plain)
        assert found.columns == expected.columns
        for ours, theirs in zip(found, expected, strict=True):
            for a, b in zip(ours, theirs, strict=True):
                # Vectors move by rounding only when other texts share their batch.
                assert (
                    a == b if isinstance(a, int | str | None) else a == pytest.approx(b, abs=1e-6)
                )
