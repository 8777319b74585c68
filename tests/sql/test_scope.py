"""One SELECT taken apart: what runs before the model, and what after."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from gpudb.errors import SqlError
from gpudb.sql.scope import Scope, is_star, visible_ctes

SOURCE = "CREATE TABLE {}(id INT, stars INT, text VARCHAR, shop VARCHAR, s STRUCT(id INT))"
EMBED = "CREATE MACRO embed(model, text) AS [1.0]::FLOAT[1]"


@pytest.fixture(scope="module")
def duck() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for name in ("r", "q"):
        connection.execute(SOURCE.format(name))
    connection.execute(EMBED)
    connection.execute("CREATE MACRO total(x) AS sum(x)")
    return connection


def scope_of(duck: duckdb.DuckDBPyConnection, sql: str) -> Scope:
    def describe(query: exp.Query) -> list[tuple[str, str]]:
        try:
            rows = duck.sql(f"DESCRIBE {query.sql('duckdb')}").fetchall()
        except duckdb.Error as error:
            raise SqlError(str(error)) from error
        return [(name, kind) for name, kind, *_ in rows]

    select = sqlglot.parse_one(sql, read="duckdb")
    assert isinstance(select, exp.Select)
    return Scope(select, describe)


@pytest.mark.parametrize(
    ("where", "before", "after"),
    [
        ("stars > 3", ["stars > 3"], []),
        ("stars > 3 AND id < 2 AND shop = 'x'", ["stars > 3", "id < 2", "shop = 'x'"], []),
        ("embed('m', text)[1] > 0", [], ["EMBED('m', text)[1] > 0"]),
        ("id < 2 AND e[1] > 0", ["id < 2"], ["e[1] > 0"]),
        ("id < 2 OR e[1] > 0", [], ["id < 2 OR e[1] > 0"]),
        ("d > 4 AND e IS NULL", ["(id * 2) > 4"], ["e IS NULL"]),
        ("r.id = 1 AND d2 > 4", ["r.id = 1", "((id * 2) + 1) > 4"], []),
        ("stars2 > 1", ["(stars) > 1"], []),
    ],
)
def test_conditions(
    duck: duckdb.DuckDBPyConnection, where: str, before: list[str], after: list[str]
) -> None:
    scope = scope_of(
        duck,
        "SELECT embed('m', text) AS e, id * 2 AS d, d + 1 AS d2, stars AS stars2 FROM r "
        f"WHERE {where}",
    )
    found = scope.conditions()
    assert tuple([c.sql("duckdb") for c in part] for part in found) == (before, after)


@pytest.mark.parametrize(
    ("items", "rest", "early"),
    [
        ("e, id", "LIMIT 3", "LIMIT 3"),
        ("e, id", "LIMIT 3 OFFSET 2", "LIMIT 3 OFFSET 2"),
        ("e, id", "ORDER BY id DESC LIMIT 3", "ORDER BY id DESC LIMIT 3"),
        ("e, id", "ORDER BY 2 LIMIT 3", "ORDER BY id LIMIT 3"),
        ("e, -id AS id", "ORDER BY id LIMIT 3", "ORDER BY -id LIMIT 3"),
        ("e, -id AS id", "ORDER BY id + 0 LIMIT 3", "ORDER BY id + 0 LIMIT 3"),
        ("e, -id AS n", "ORDER BY n + 1 LIMIT 3", "ORDER BY (-id) + 1 LIMIT 3"),
        ("e, id", "ORDER BY random() LIMIT 3", "ORDER BY RANDOM() LIMIT 3"),
        ("*, e", "ORDER BY text LIMIT 3", "ORDER BY text LIMIT 3"),
        ("e, id", "", None),
        ("e, id", "ORDER BY id", None),
        ("e, id", "ORDER BY 1 LIMIT 3", None),
        ("e AS v, id", "ORDER BY v LIMIT 3", None),
        ("e AS v, id", "ORDER BY v[1] + id LIMIT 3", None),
        ("e, random() AS x", "ORDER BY x LIMIT 3", None),
        ("e, random() AS x", "ORDER BY 2 LIMIT 3", None),
        ("*, e", "ORDER BY 2 LIMIT 3", None),
        ("e, id", "ORDER BY ALL LIMIT 3", None),
        ("DISTINCT e", "LIMIT 3", None),
        ("count(e)", "LIMIT 3", None),
        ("total(e[1])", "LIMIT 3", None),
        ("histogram(e[1])", "LIMIT 3", None),
        ("shop, count(e)", "GROUP BY shop LIMIT 3", None),
        ("e, row_number() OVER () AS n", "LIMIT 3", None),
        ("e, row_number() OVER () AS n", "QUALIFY n = 1 LIMIT 3", None),
        ("e, unnest([1, 2])", "LIMIT 3", None),
    ],
)
def test_a_limit_moves_only_where_rows_stay_the_same(
    duck: duckdb.DuckDBPyConnection, items: str, rest: str, early: str | None
) -> None:
    items = items.replace("(e", "(embed('m', text)").replace("e,", "embed('m', text),")
    items = items.replace("e AS", "embed('m', text) AS").replace(" e", " embed('m', text)")
    found = scope_of(duck, f"SELECT {items} FROM r {rest}").early_limit([])
    if early is None:
        assert found is None
    else:
        assert found is not None
        parts = exp.Select(expressions=[exp.Star()]).from_("r")
        for arg, value in found.items():
            parts.set(arg, value)
        assert parts.sql("duckdb").removeprefix("SELECT * FROM r ") == early


def test_a_limit_waits_for_conditions_on_vectors(duck: duckdb.DuckDBPyConnection) -> None:
    scope = scope_of(duck, "SELECT embed('m', text) AS e FROM r WHERE e[1] > 0 LIMIT 1")
    assert scope.early_limit(scope.conditions()[1]) is None


@pytest.mark.parametrize(
    ("item", "star"),
    [
        ("*", True),
        ("r.*", True),
        ("* EXCLUDE (a)", True),
        ("* REPLACE (1 AS a)", True),
        ("* LIKE 'a%'", True),
        ("* NOT LIKE 'a%'", True),
        ("* ILIKE 'a%'", True),
        ("* GLOB 'a*'", True),
        ("* SIMILAR TO 'a.*'", True),
        ("COLUMNS('a.*')", True),
        ("a LIKE 'a%'", False),
        ("NOT a", False),
        ("count(*)", False),
        ("a * b", False),
        ("a.b", False),
    ],
)
def test_stars(item: str, star: bool) -> None:
    assert is_star(sqlglot.parse_one(f"SELECT {item} FROM r", read="duckdb").expressions[0]) is star


@pytest.mark.parametrize(
    ("source", "left", "right", "same"),
    [
        ("r", "id", "ID", True),
        ("r", "id", '"id"', True),
        ("r", "id", "r.id", True),
        ("r", "R.ID", "id", True),
        ("r AS x", "x.id", "id", True),
        ("r", "id", "stars", False),
        ("r", "id", "s.id", False),
        ("r JOIN q ON true", "r.id", "q.id", False),
        ("r JOIN q USING (id)", "r.id", "q.id", False),
        ("r FULL JOIN q USING (id, stars, text, shop, s)", "r.shop", "shop", False),
        ("r NATURAL JOIN q", "r.shop", "shop", False),
        ("r", "id + 1", "id + 1", True),
        ("r", "id + 1", "1 + id", False),
    ],
)
def test_one_column_however_it_is_spelled(
    duck: duckdb.DuckDBPyConnection, source: str, left: str, right: str, same: bool
) -> None:
    scope = scope_of(duck, f"SELECT 1 FROM {source}")
    a, b = (
        scope.key(sqlglot.parse_one(f"SELECT {x}", read="duckdb").expressions[0])
        for x in (left, right)
    )
    assert (a == b) is same


def test_the_variable_of_a_comprehension_is_no_column(duck: duckdb.DuckDBPyConnection) -> None:
    scope = scope_of(duck, "SELECT [id + stars FOR id IN [stars]] AS l, id AS n FROM r")
    seen: list[str] = []

    def replace(node: exp.Expr) -> exp.Expr:
        seen.append(node.name)
        return exp.column("c")

    item = scope.after_model(scope.select.expressions[0], replace)
    assert seen == ["stars", "stars"]
    assert "id + c FOR id IN [c]" in item.sql("duckdb")


def test_correlated_subqueries_are_told_from_others(duck: duckdb.DuckDBPyConnection) -> None:
    scope = scope_of(duck, "WITH c AS (SELECT 1 AS one) SELECT 1 FROM r")
    for sql, correlated in [
        ("SELECT max(id) FROM q", False),
        ("SELECT one FROM c", False),
        ("SELECT max(id) FROM q WHERE q.shop = r.shop", True),
    ]:
        assert scope.is_correlated(sqlglot.parse_one(sql, read="duckdb")) is correlated


def test_ctes_that_a_select_can_read() -> None:
    tree = sqlglot.parse_one(
        "WITH a AS (SELECT 1), b AS (WITH a AS (SELECT 2) SELECT * FROM a) "
        "SELECT * FROM (WITH b AS (SELECT 3) SELECT * FROM b) x",
        read="duckdb",
    )

    def visible(text: str) -> list[str]:
        select = next(s for s in tree.find_all(exp.Select) if s.sql("duckdb") == text)
        found = visible_ctes(select)
        return [] if found is None else [c.sql("duckdb") for c in found.expressions]

    assert visible("SELECT 1") == []
    assert visible("SELECT 2") == ["a AS (SELECT 1)"]
    assert visible("WITH a AS (SELECT 2) SELECT * FROM a") == ["a AS (SELECT 2)"]
    assert visible("WITH b AS (SELECT 3) SELECT * FROM b") == [
        "a AS (SELECT 1)",
        "b AS (SELECT 3)",
    ]
