"""CREATE TENSOR, INSERT and DROP TENSOR: what is stored, all or nothing."""

from __future__ import annotations

import numpy as np
import pytest

from gpudb.errors import CatalogError, GpudbError, InputError, SqlError
from gpudb.sql.tensors import ddl
from tests.sql.tensors.conftest import Tensors


@pytest.mark.parametrize(
    ("text", "duck"),
    [
        ("CREATE TENSOR x AS SELECT 1", "CREATE TABLE gpudb_tensor.x AS SELECT 1"),
        (
            'create or replace /* tensor */ tensor "ü b" as select 1',
            'create or replace /* tensor */ TABLE gpudb_tensor."ü b" as select 1',
        ),
        (
            "SELECT 'é; CREATE TENSOR x'; DROP TENSOR IF EXISTS x;",
            "SELECT 'é; CREATE TENSOR x'; DROP TABLE IF EXISTS gpudb_tensor.x;",
        ),
        (
            "CREATE TENSOR IF NOT EXISTS x AS FROM tensor",
            "CREATE TABLE IF NOT EXISTS gpudb_tensor.x AS FROM tensor",
        ),
        ("CREATE TABLE tensor AS SELECT tensor FROM tensor", None),
        ("SELECT tensor; -- CREATE TENSOR x", None),
    ],
)
def test_duckdb_can_parse_tensor(text: str, duck: str | None) -> None:
    changed = ddl.for_duckdb(text)
    assert changed == (text if duck is None else duck)


def test_statements_are_recorded_as_written() -> None:
    text = "CREATE TENSOR IF NOT EXISTS x AS FROM a"
    assert ddl.as_written(ddl.for_duckdb(text)) == text
    assert ddl.as_written("SELECT 1") == "SELECT 1"


def test_create_stores_what_the_query_computes(own: Tensors) -> None:
    a, b = own.arrays["a"], own.arrays["b"]
    own.db.sql(
        "CREATE TENSOR p AS SELECT a.i0, b.i1, SUM(MATMUL(a.block, b.block)) AS block "
        "FROM a JOIN b ON a.i1 = b.i0 GROUP BY a.i0, b.i1; "
        "CREATE TENSOR q AS SELECT i0, i1, RELU(block) FROM p"
    )
    np.testing.assert_allclose(own.db.tensor("q").collect(), np.maximum(a @ b, 0), rtol=1e-12)
    assert own.db.tensor("q").schema.block == (3, 4)
    listed = own.table("SELECT shape FROM gpudb.tensors WHERE name = 'q'")
    assert listed.column(0).to_pylist() == [[7, 6]]


def test_replace_may_read_the_old_one(own: Tensors) -> None:
    own.db.sql("CREATE OR REPLACE TENSOR a AS SELECT i0, i1, block + 1 FROM a")
    np.testing.assert_array_equal(own.db.tensor("a").collect(), own.arrays["a"] + 1)
    own.db.sql("CREATE TENSOR IF NOT EXISTS a AS SELECT i0, i1, block + 1 FROM a")
    np.testing.assert_array_equal(own.db.tensor("a").collect(), own.arrays["a"] + 1)
    with pytest.raises(CatalogError, match="'a' is there already"):
        own.db.sql("CREATE TENSOR a AS SELECT i0, i1, block + 1 FROM a")


def test_keys_lie_in_the_order_of_the_select(own: Tensors) -> None:
    own.db.create_tensor("square", np.arange(16.0).reshape(4, 4), block=(2, 2))
    own.db.sql("CREATE TENSOR s AS SELECT i1, i0, block FROM square")
    blocks = np.arange(16.0).reshape(2, 2, 2, 2)  # block row, row, block column, column
    expected = blocks.transpose(2, 1, 0, 3).reshape(4, 4)
    np.testing.assert_array_equal(own.db.tensor("s").collect(), expected)


def test_a_failure_leaves_everything_as_it_was(own: Tensors) -> None:
    for sql in (
        "CREATE OR REPLACE TENSOR a AS SELECT i0, i1, MATMUL(a.block, a.block) FROM a",
        "CREATE OR REPLACE TENSOR a AS SELECT i0 - 5 AS i0, i1, block FROM a",
        "CREATE OR REPLACE TENSOR a AS SELECT * FROM nope",
        "CREATE OR REPLACE TENSOR a AS SELECT * FROM b ORDER BY i0",
        "CREATE OR REPLACE TENSOR a AS VALUES (1)",
    ):
        with pytest.raises(GpudbError):
            own.db.sql(sql)
    np.testing.assert_array_equal(own.db.tensor("a").collect(), own.arrays["a"])
    assert own.db.tensors() == list(own.arrays)
    with pytest.raises(SqlError, match="ORDER over blocks; a tensor is made of an expression"):
        own.db.sql("CREATE TENSOR z AS SELECT * FROM b ORDER BY i0")


def test_tables_and_tensors_share_no_name(own: Tensors) -> None:
    own.db.sql("CREATE TABLE taken AS SELECT 1 AS x")
    with pytest.raises(CatalogError, match="there is a table 'taken'"):
        own.db.sql("CREATE TENSOR taken AS SELECT * FROM a")


def test_insert_adds_blocks_at_keys_that_are_missing(own: Tensors) -> None:
    own.db.sql("CREATE TENSOR part AS SELECT * FROM a WHERE i0 = 0")
    assert own.table("SELECT count(*) AS n FROM part").to_pydict() == {"n": [3]}
    own.db.sql("INSERT INTO part SELECT * FROM a WHERE i0 = 2")
    own.db.sql("INSERT INTO part (block, i1, i0) SELECT block, i1, i0 FROM a WHERE i0 = 1 OR false")
    np.testing.assert_array_equal(own.db.tensor("part").collect(), own.arrays["a"])
    own.db.sql("CREATE TENSOR odd AS SELECT * FROM a WHERE i0 > 2")
    own.db.sql("INSERT INTO odd VALUES (2, 2, [7])")
    assert own.table("FROM odd").to_pylist() == [{"i0": 2, "i1": 2, "block": [7.0]}]
    own.db.sql("INSERT INTO odd SELECT * FROM a WHERE i0 > 2")
    assert own.table("SELECT count(*) AS n FROM odd").to_pydict() == {"n": [1]}


@pytest.mark.parametrize(
    ("sql", "kind", "message"),
    [
        (
            "INSERT INTO part SELECT * FROM a",
            CatalogError,
            r"'part' has a block at \(0, 0\) already, and 3 of the 9 in all",
        ),
        ("INSERT INTO part SELECT i0, block FROM a", SqlError, "has i0, i1, block"),
        ("INSERT INTO part (i0, i2, block) SELECT * FROM a", SqlError, "for i0, i2, block"),
        ("INSERT INTO part VALUES (1, 0, [1])", InputError, "has 1 elements; expected 6"),
        ("INSERT INTO part VALUES (3, 0, [1])", InputError, r"no block has the key \(3, 0\)"),
        ("INSERT INTO part VALUES (1, 0, 5)", InputError, "expected a list"),
        ("INSERT INTO part VALUES (1, NULL, [1])", InputError, "with 1 nulls for key 1"),
        ("INSERT INTO part VALUES (2, 2, ['x'])", InputError, "no float64"),
        ("INSERT INTO part VALUES (2, 2, [1]), (2, 2, [2])", InputError, "the same key"),
        ("DROP TENSOR nope", CatalogError, "no tensor 'nope'"),
    ],
)
def test_mistakes(own: Tensors, sql: str, kind: type[Exception], message: str) -> None:
    own.db.sql("CREATE TENSOR part AS SELECT * FROM a WHERE i0 = 0")
    before = own.table("SELECT * FROM part ORDER BY i0, i1").to_pylist()
    with pytest.raises(kind, match=message):
        own.db.sql(sql)
    assert own.table("SELECT * FROM part ORDER BY i0, i1").to_pylist() == before


def test_drop(own: Tensors) -> None:
    own.db.sql("DROP TENSOR a; DROP TENSOR IF EXISTS a; drop tensor if exists nope")
    assert "a" not in own.db.tensors()
    with pytest.raises(SqlError, match="Tensors: b, c"):
        own.db.sql("SELECT * FROM a")


def test_keys_have_names(own: Tensors) -> None:
    db, a, b = own.db, own.arrays["a"], own.arrays["b"]
    db.create_tensor("x", a, block=(3, 2), keys=("i", "k"))
    db.create_tensor("y", db.tensor("b") * 2, keys=["k", "J"])
    db.sql(
        "CREATE TENSOR z AS SELECT x.i, y.j AS column, SUM(MATMUL(x.block, y.block)) AS block "
        "FROM x JOIN y ON x.k = y.k GROUP BY x.i, y.j"
    )
    np.testing.assert_allclose(db.tensor("z").collect(), 2 * a @ b, rtol=1e-12, atol=1e-12)
    assert own.table("SELECT * FROM z LIMIT 0").column_names == ["i", "column", "block"]
    listed = own.table("SELECT name, keys FROM gpudb.tensors WHERE name IN ('a', 'y', 'z')")
    assert dict(zip(*(c.to_pylist() for c in listed.columns), strict=True)) == {
        "a": ["i0", "i1"],
        "y": ["k", "J"],
        "z": ["i", "column"],
    }
    db.sql("CREATE TENSOR part AS SELECT * FROM x WHERE i = 0")
    db.sql("INSERT INTO part (K, block, i) SELECT k, block, i FROM x WHERE i > 0")
    np.testing.assert_array_equal(db.tensor("part").collect(), a)


@pytest.mark.parametrize(
    "keys", [("i",), ("i", "I"), ("i", "block"), ("i1", "i0"), ("i", ""), "ik", (1, 2)], ids=str
)
def test_keys_that_cannot_be(own: Tensors, keys: tuple[str, ...]) -> None:
    with pytest.raises(CatalogError, match="expected 2 different names"):
        own.db.create_tensor("x", own.arrays["a"], keys=keys)
    assert "x" not in own.db.tensors()
