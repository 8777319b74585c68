"""Queries over tensors give the plans of the Python door, and mean what NumPy means."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gpudb import Database
from gpudb.errors import GpudbError, SchemaError, SqlError, UnsupportedError
from gpudb.plan.relational import Aggregate, FilterKeys, Join, Project, Rekey
from gpudb.plan.serialize import fingerprint
from gpudb.plan.tensor import Map, Scan, Zip
from gpudb.relation import TensorRelation
from gpudb.sql.tensors.relation import NotTaken
from tests.sql.tensors.conftest import Tensors

Door = Callable[[Database], TensorRelation]

PRODUCT = (
    "SELECT a.i0, b.i1, SUM(MATMUL(a.block, b.block)) AS block "
    "FROM a JOIN b ON a.i1 = b.i0 GROUP BY a.i0, b.i1"
)
TRANSPOSED = (
    "SELECT a.i0, w.i0 AS j, SUM(MATMUL_T(a.block, w.block)) AS block "
    "FROM a, w WHERE a.i1 = w.i1 GROUP BY ALL"
)
ON_ALL = "FROM a JOIN c ON a.i0 = c.i0 AND a.i1 = c.i1"

SAME_PLANS: list[tuple[str, Door]] = [
    ("SELECT * FROM a", lambda db: db.tensor("a")),
    ("FROM a", lambda db: db.tensor("a")),
    ("SELECT A.I1, A.I0, A.BLOCK FROM A", lambda db: db.tensor("a")),
    (
        PRODUCT,
        lambda db: db.tensor("a").join(db.tensor("b"), [(1, 0)], "matmul").aggregate((0, 2), "sum"),
    ),
    (
        TRANSPOSED,
        lambda db: (
            db.tensor("a")
            .join(db.tensor("w"), [(1, 1)], "matmul_transposed")
            .aggregate((0, 2), "sum")
        ),
    ),
    (
        f"SELECT a.i0, a.i1, a.block + c.block AS block {ON_ALL}",
        lambda db: db.tensor("a") + db.tensor("c"),
    ),
    (
        "SELECT i0, i1, SUB(a.block, c.block) AS block FROM a JOIN c USING (i0, i1)",
        lambda db: db.tensor("a") - db.tensor("c"),
    ),
    (
        f"SELECT a.i0, a.i1, MAXIMUM(a.block, c.block) {ON_ALL}",
        lambda db: db.tensor("a").maximum(db.tensor("c")),
    ),
    (
        f"SELECT a.i0, a.i1, DIV(a.block, c.block) {ON_ALL}",
        lambda db: db.tensor("a") / db.tensor("c"),
    ),
    (
        "SELECT a.i0, a.i1, a.block + v.block FROM a JOIN v ON a.i1 = v.i0",
        lambda db: db.tensor("a") + db.tensor("v"),
    ),
    ("SELECT i0, i1, 2 * block + 1 FROM a", lambda db: 2 * db.tensor("a") + 1),
    ("SELECT i0, i1, 1 - block / 2 FROM a", lambda db: 1 - db.tensor("a") / 2),
    ("SELECT i0, i1, -GELU(block) FROM a", lambda db: -db.tensor("a").map("gelu")),
    ("SELECT i0, SUM(block) FROM t GROUP BY i0", lambda db: db.tensor("t").aggregate(0, "sum")),
    (
        "SELECT i2, MAX(tanh(block)) FROM t GROUP BY 1",
        lambda db: db.tensor("t").map("tanh").aggregate(2, "max"),
    ),
    ("SELECT AVG(block) FROM t", lambda db: db.tensor("t").aggregate((), "mean")),
    (
        "SELECT i0, ARGMAX(block) FROM a GROUP BY i0",
        lambda db: db.tensor("a").aggregate(0, "argmax"),
    ),
    (
        "SELECT * FROM a WHERE i0 BETWEEN 1 AND 2 AND 1 < i1",
        lambda db: db.tensor("a").filter(("i0", ">=", 1), ("i0", "<=", 2), ("i1", ">", 1)),
    ),
    ("SELECT * FROM a WHERE i1 IN (0, 2)", lambda db: db.tensor("a").filter(i1=(0, 2))),
    (
        "SELECT * FROM a WHERE (i0 <= i1 AND i0 <> 2)",
        lambda db: db.tensor("a").filter(("i0", "<=", "i1"), ("i0", "!=", 2)),
    ),
    ("SELECT i0, block FROM a WHERE i1 = 2", lambda db: db.tensor("a").project(i1=2)),
    (
        "SELECT i0, block FROM a WHERE i1 = 2 AND i0 > 0",
        lambda db: db.tensor("a").project(i1=2).filter(("i0", ">", 0)),
    ),
    (
        "SELECT i0 + 2 AS i0, 2 * i1 + 1 AS j, block FROM a",
        lambda db: db.tensor("a").rekey((0, 1, 2), (1, 2, 1)),
    ),
    (
        "SELECT i0, i1, block * 2 FROM a WHERE block > 0.5",
        lambda db: db.tensor("a").where(">", 0.5) * 2,
    ),
    (
        "SELECT i, SUM(x) FROM (SELECT i0 AS i, i1 AS j, exp(block) AS x FROM a) GROUP BY i",
        lambda db: db.tensor("a").map("exp").aggregate(0, "sum"),
    ),
    (
        "WITH s AS (SELECT i0, i1, block + 1 AS block FROM a), "
        "r AS (SELECT i0, i1, RELU(block) AS block FROM s) SELECT * FROM r WHERE i0 = 1",
        lambda db: (db.tensor("a") + 1).map("relu").filter(i0=1),
    ),
    (
        "SELECT p, q, x FROM a AS renamed(p, q, x)",
        lambda db: db.tensor("a"),
    ),
    (
        "SELECT i0, CAST(block AS FLOAT[]) FROM a WHERE i1 = 0",
        lambda db: db.tensor("a").cast("float32").project(i1=0),
    ),
]


@pytest.mark.parametrize(("sql", "door"), SAME_PLANS, ids=[sql for sql, _ in SAME_PLANS])
def test_both_doors_give_the_same_plan(tensors: Tensors, sql: str, door: Door) -> None:
    bound, expected = tensors.bind(sql), door(tensors.db)
    assert fingerprint(bound.result) == fingerprint(expected.plan)
    assert set(bound.sources) == set(expected.sources)
    found = tensors.db._engine.collect(bound.result, bound.sources)
    np.testing.assert_array_equal(found, expected.collect())


def test_plans_are_those_written_by_hand(tensors: Tensors) -> None:
    a, b, c = (Scan(tensors.db.tensor(name).schema) for name in "abc")
    product = Join(a, b, ((1, 0),), "matmul")
    by_hand = {
        PRODUCT: Aggregate(product, (0, 2), "sum"),
        f"SELECT a.i0, a.i1, MUL(a.block, RELU(c.block)) {ON_ALL} WHERE a.i0 = 1": FilterKeys(
            Zip(a, Map(c, "relu"), "multiply"), ((0, "=", 1),)
        ),
        "SELECT i1, block FROM a WHERE i0 = 1": Project(a, ((0, 1),)),
        "SELECT i1 - 0 AS i1, i0 + 1 AS i0, block FROM a": Rekey(a, ((0, 1, 1), (1, 1, 0))),
    }
    for sql, plan in by_hand.items():
        assert fingerprint(tensors.bind(sql).result) == fingerprint(plan), sql


# Against NumPy; float64, sums of at most some dozen terms of size 1: 1e-12.


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_products(tensors: Tensors) -> None:
    a, b, w, v = (tensors.arrays[name] for name in "abwv")
    close(tensors.dense(PRODUCT), a @ b)
    close(tensors.dense(TRANSPOSED), a @ w.T)
    filtered = (
        "SELECT a.i0, b.i1, RELU(SUM(MATMUL(a.block, b.block))) + 1 FROM a JOIN b ON a.i1 = b.i0 "
        "WHERE a.i1 > 0 AND b.i1 = 1 GROUP BY a.i0, b.i1"
    )
    expected = np.maximum(a[:, 2:] @ b[2:], 0) + 1
    expected[:, :4] = 0
    close(tensors.dense(filtered), expected)
    chain = (
        "WITH h AS (SELECT a.i0 AS i, w.i0 AS j, RELU(SUM(MATMUL_T(a.block, w.block))) AS block "
        "FROM a JOIN w ON a.i1 = w.i1 GROUP BY a.i0, w.i0) "
        "SELECT h.i, w.i1 AS k, SUM(MATMUL(h.block, w.block)) AS block "
        "FROM h JOIN w ON h.j = w.i0 GROUP BY h.i, w.i1"
    )
    close(tensors.dense(chain), np.maximum(a @ w.T, 0) @ w)
    three = (
        "SELECT a.i0, b.i1, SUM(MATMUL(a.block * v.block, b.block)) AS block "
        "FROM a JOIN v ON a.i1 = v.i0 JOIN b ON b.i0 = v.i0 GROUP BY a.i0, b.i1"
    )
    close(tensors.dense(three), (a * v) @ b)


def test_axes_without_a_key_lie_in_the_blocks(tensors: Tensors) -> None:
    t = tensors.arrays["t"]
    sums = "SELECT i0, SUM(block) AS block FROM t GROUP BY i0"
    assert tensors.bind(sums).keys == ("i0", None, None)
    padded = np.pad(t, ((0, 0), (0, 0), (0, 1)))
    total = padded.reshape(4, 3, 3, 2).sum(2)
    close(tensors.dense(sums), total)
    scaled = f"SELECT s.i0, s.block * RELU(r.block) FROM ({sums}) s JOIN ({sums}) r USING (i0)"
    close(tensors.dense(scaled), total * np.maximum(total, 0))
    # (2, 3) blocks with (3, 2) ones: each pair is a matrix product, complete at once.
    one = "(SELECT SUM(block) AS block FROM a)"
    other = "(SELECT SUM(block) AS block FROM b)"
    a = np.pad(tensors.arrays["a"], ((0, 2), (0, 1))).reshape(3, 3, 3, 2).sum((0, 2))
    b = np.pad(tensors.arrays["b"], ((0, 1), (0, 2))).reshape(3, 2, 2, 4).sum((0, 2))
    close(tensors.dense(f"SELECT MATMUL(x.block, y.block) FROM {one} x, {other} y"), a @ b)


def test_a_vector_on_the_left_keeps_the_axes_of_the_matrix(tensors: Tensors) -> None:
    a, v = tensors.arrays["a"], tensors.arrays["v"]
    on = "FROM v JOIN a ON v.i0 = a.i1"
    close(tensors.dense(f"SELECT a.i0, a.i1, v.block + a.block {on}"), v + a)
    close(tensors.dense(f"SELECT a.i0, a.i1, v.block - a.block {on}"), v - a)
    close(tensors.dense(f"SELECT a.i0, a.i1, v.block / a.block {on}"), v / a)


def test_rows_that_where_leaves_out_do_not_come_back(tensors: Tensors) -> None:
    a = tensors.arrays["a"]
    kept = np.zeros_like(a)
    kept[3:6] = np.exp(a[3:6])
    for sql in (
        "SELECT i0, i1, exp(block) AS block FROM a WHERE i0 = 1",
        "SELECT i0, i1, exp(block) AS block FROM (SELECT * FROM a WHERE i0 = 1)",
        "WITH f AS (SELECT * FROM a WHERE i0 = 1) SELECT i0, i1, exp(block) AS block FROM f",
    ):
        close(tensors.dense(sql), kept)
        assert set(tensors.table(sql).column("i0").to_pylist()) == {1}


@pytest.mark.parametrize(("fn", "numpy"), [("MAX", np.max), ("MIN", np.min), ("AVG", np.mean)])
def test_aggregates_see_the_rows_that_where_leaves(
    tensors: Tensors, fn: str, numpy: Callable[..., np.ndarray]
) -> None:
    a = tensors.arrays["a"] - 10  # below zero, so that a zero would show in MAX
    sql = f"SELECT i1, {fn}(block - 10) AS block FROM a WHERE i0 < 2 GROUP BY i1"
    close(tensors.dense(sql), numpy([a[0:3], a[3:6]], axis=0))
    with pytest.raises(UnsupportedError, match="one range of each key"):
        tensors.bind(f"SELECT i1, {fn}(block) AS block FROM a WHERE i0 <> 1 GROUP BY i1")


def test_parameters_are_numbers(tensors: Tensors) -> None:
    a = tensors.arrays["a"]
    sql = "SELECT i0, i1, block * $f AS block FROM a WHERE i0 = $k AND i1 IN $list"
    kept = np.zeros_like(a)
    kept[3:6, :2] = a[3:6, :2] * -1.5
    params = {"f": np.float32(-1.5), "k": np.int64(1), "list": [0]}
    close(tensors.dense(sql, params), kept)


ERRORS: list[tuple[str, type[Exception], str]] = [
    (
        "SELECT a.i0, b.i1, SUM(MATMUL(a.block, b.block)) FROM a, b GROUP BY a.i0, b.i1",
        SqlError,
        "MATMUL sums over a.i1 and b.i0, which are not joined; add ON a.i1 = b.i0",
    ),
    (
        "SELECT a.i0, a.i1, MATMUL(a.block) FROM a",
        SqlError,
        "found 1 arguments; expected 2",
    ),
    (
        "SELECT i0, block + SUM(block) FROM a GROUP BY i0",
        SqlError,
        "outside of an aggregate",
    ),
    (
        "SELECT i0, SUM(MAX(block)) FROM a GROUP BY i0",
        SqlError,
        "an aggregate inside another",
    ),
    (
        "SELECT a.i0, a.i1, ADD(a.block, b.block) FROM a JOIN b ON a.i0 = b.i0 AND a.i1 = b.i1",
        SchemaError,
        "joined axes must be equally long",
    ),
    ("SELECT i0, i1, block FROM a JOIN c ON a.i0 = c.i0", SqlError, "a, c have a column"),
    ("SELECT a.i0, a.block FROM a, a", SqlError, "two tables are called 'a'"),
    ("SELECT i0, i1, block * 'x' FROM a", SqlError, "expected a number"),
    ("SELECT * FROM a WHERE i0 = 1.5", SqlError, "expected a whole number"),
    ("SELECT * FROM a WHERE i0 = $k", SqlError, "parameter 'k', which was not given"),
    ("SELECT * FROM a AS s(i, j, k, l)", SqlError, "4 names"),
    ("SELECT i0 - 1 AS i0, i1, block FROM a", SchemaError, "no negative key"),
]


@pytest.mark.parametrize(("sql", "kind", "message"), ERRORS, ids=[sql for sql, *_ in ERRORS])
def test_mistakes(tensors: Tensors, sql: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        tensors.bind(sql)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT i1, SUM(block) FROM a GROUP BY i0", "key column i1 is not in GROUP BY"),
        ("SELECT i0, block FROM a", "a.i1 is neither in the SELECT list nor fixed by WHERE"),
        ("SELECT i0, i1, block FROM a WHERE i0 = 0 OR i1 = 0", "no comparison of a key"),
        ("SELECT i0, i1 FROM a", "found 0 columns of blocks"),
        ("SELECT i0, i1, norm(block) FROM a", "no expression over blocks"),
        ("SELECT a.i0, a.i1, a.block FROM a LEFT JOIN c ON a.i0 = c.i0", "LEFT JOIN"),
        ("SELECT a.i0, a.i1, a.block FROM a JOIN c ON a.i0 = c.i0", "does not use its blocks"),
        ("SELECT * FROM a UNION SELECT * FROM a", "UNION of blocks"),
        ("SELECT * FROM a LIMIT 1", "LIMIT over blocks"),
        ("SELECT * FROM nope", "no tensor 'nope'; tensors are: a, b, c"),
        ("SELECT i0, i1, x FROM a", "no column x; columns are a: i0, i1, block"),
    ],
)
def test_what_is_left_to_duckdb(tensors: Tensors, sql: str, message: str) -> None:
    with pytest.raises(NotTaken, match=message):
        tensors.bind(sql)


def test_not_taken_is_not_for_users() -> None:
    assert not issubclass(NotTaken, GpudbError)
