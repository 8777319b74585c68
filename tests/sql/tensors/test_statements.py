"""Statements over tensors as users write them: pure ones, and mixed with tables."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

import gpudb
from gpudb.errors import GpudbError, SqlError, UnsupportedError
from tests.sql.tensors.conftest import Tensors, exploded
from tests.tiny_model import write_tiny_model

PRODUCT = (
    "SELECT a.i0, b.i1, SUM(MATMUL(a.block, b.block)) AS block "
    "FROM a JOIN b ON a.i1 = b.i0 GROUP BY a.i0, b.i1"
)


def test_blocks_come_under_the_names_of_the_query(tensors: Tensors) -> None:
    table = tensors.table("SELECT i1 AS k, block AS x, i0 FROM a WHERE i0 >= 1")
    assert table.column_names == ["k", "x", "i0"]
    assert table.schema.types == [pa.int32(), pa.list_(pa.float64()), pa.int32()]
    a = tensors.arrays["a"]
    found = exploded(table, "x")
    assert set(found) == {(k, i) for i in (1, 2) for k in (0, 1, 2)}
    for (k, i), block in found.items():
        expected = a[3 * i : 3 * i + 3, 2 * k : 2 * k + 2]
        np.testing.assert_array_equal(block, expected.reshape(-1))


def test_duckdb_computes_the_same_product_of_scalars(tensors: Tensors) -> None:
    duck = duckdb.connect()
    for name in "ab":
        array = tensors.arrays[name]
        rows, columns = np.indices(array.shape).reshape(2, -1)
        scalars = pa.table({"r": rows, "c": columns, "x": array.reshape(-1)})
        duck.register(f"{name}_scalars", scalars)
    expected = duck.sql(
        "SELECT a.r, b.c, SUM(a.x * b.x) AS x FROM a_scalars a JOIN b_scalars b ON a.c = b.r "
        "GROUP BY a.r, b.c ORDER BY a.r, b.c"
    ).fetchnumpy()["x"]
    # The blocks as scalars: position of a block, then the place of the element in it.
    duck.register("blocks", tensors.table(PRODUCT))
    found = duck.sql(
        "WITH e AS (SELECT i0, i1, unnest(block) AS x, generate_subscripts(block, 1) - 1 AS n, "
        "least(4, 6 - 4 * i1) AS width FROM blocks) "
        "SELECT 3 * i0 + n // width AS r, 4 * i1 + n % width AS c, x FROM e ORDER BY r, c"
    ).fetchnumpy()["x"]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_explain_shows_plan_and_pruning(tensors: Tensors) -> None:
    sql = PRODUCT.replace("GROUP", "WHERE a.i0 = 1 GROUP")
    planned = tensors.db.explain(sql)
    assert "Aggregate" in planned
    assert "i0 = 1" in planned
    assert "launches" not in planned
    ran = tensors.db.sql(f"EXPLAIN ANALYZE {sql}")
    assert ran.report is not None
    assert ran.report.plans[0].run is not None
    assert ran.columns == ["plan"]
    report = json.loads(tensors.db.explain(sql, format="json"))
    assert report["plans"][0]["steps"]
    assert "Join" in tensors.db.sql(sql).plan_text


def test_explain_of_a_mixed_statement_shows_both_parts(own: Tensors) -> None:
    own.db.create_table("names", pa.table({"key": [0, 1], "name": ["x", "y"]}))
    sql = f"SELECT n.name, norm(p.block) AS n FROM ({PRODUCT}) p JOIN names n ON n.key = p.i0"
    planned = json.loads(own.db.explain(sql, format="json"))
    assert [part["engine"] for part in planned["parts"]] == ["tensors", "duckdb"]
    assert planned["parts"][0]["plan"] == 0
    assert planned["plans"][0]["into"] == "gpudb_blocks_1"
    assert planned["plans"][0]["run"] is None
    ran = json.loads(own.db.explain(sql, format="json", analyze=True))
    assert [part["rows"] for part in ran["parts"]] == [6, 4]
    assert ran["plans"][0]["run"]["runs"] == 1
    assert "tensors" in own.db.explain(sql, format="html")
    blocks = "SELECT norm(b.block) FROM gpudb.blocks b"
    assert "gpudb_values_1" in own.db.explain(blocks)
    with pytest.raises(GpudbError, match="of a statement that reads tensors: write EXPLAIN"):
        own.db.explain(sql, relational=True)


def test_a_table_hides_a_tensor_of_its_name(own: Tensors) -> None:
    own.db.create_table("c", pa.table({"x": [1, 2]}))
    assert own.table("SELECT sum(x) AS s FROM c").to_pydict() == {"s": [3]}
    with pytest.raises(UnsupportedError, match="CREATE VIEW over a tensor"):
        own.db.sql("CREATE TEMP VIEW v AS SELECT i0 FROM a")
    own.db.sql("CREATE TEMP TABLE a AS SELECT 5 AS y")
    assert own.table("FROM a").to_pydict() == {"y": [5]}


def test_model_tensors_have_the_model_in_front(own: Tensors, tmp_path: Path) -> None:
    own.db.import_model(write_tiny_model(tmp_path / "model"), "tiny")
    name = "embeddings.word_embeddings.weight"
    expected = own.db.tensor(name, "tiny")
    found = own.table(f'SELECT w.i0, w.i1, 2 * w.block AS block FROM "tiny/{name}" AS w')
    assert found.equals((2 * expected).arrow())
    mixed = own.table(f'SELECT sum(block_sum(block)) AS s FROM "tiny@1/{name}"')
    # float32 elements, summed in another order.
    np.testing.assert_allclose(mixed.column("s")[0].as_py(), expected.collect().sum(), rtol=1e-4)
    listed = own.table(
        "SELECT norm(b.block) AS n FROM gpudb.blocks b "
        f"WHERE b.model = 'tiny' AND b.tensor = '{name}'"
    )
    squares = np.square(listed.column("n").to_numpy()).sum()
    np.testing.assert_allclose(squares, np.square(expected.collect()).sum(), rtol=1e-5)
    with pytest.raises(GpudbError, match="no tensor 'nope' in tiny@1"):
        own.db.sql('SELECT RELU(block) FROM "tiny/nope"')


def test_history_has_statements_as_they_were_written() -> None:
    with gpudb.connect(history=True) as db:
        db.create_tensor("a", np.ones((2, 2)))
        text = "CREATE OR REPLACE TENSOR b AS SELECT i0, i1, block + 1 FROM a"
        db.sql(text)
        listed = db.sql("SELECT statement, rows FROM gpudb.queries").fetchall()
    assert (text, 1) in listed


# Mixed with DuckDB


def test_order_limit_and_distinct_are_duckdbs(tensors: Tensors) -> None:
    table = tensors.table(f"{PRODUCT} ORDER BY a.i0 DESC, b.i1 LIMIT 2")
    assert table.select(["i0", "i1"]).to_pylist() == [{"i0": 2, "i1": 0}, {"i0": 2, "i1": 1}]
    top = tensors.table("SELECT i0 AS i, i1, block FROM a ORDER BY i DESC, a.i1 DESC LIMIT 1")
    assert top.column("block").to_pylist() == [[tensors.arrays["a"][6, 4]]]
    swapped = tensors.table(
        "SELECT a.i0, c.i1 AS j, a.block * c.block AS p FROM a JOIN c ON a.i0 = c.i0 "
        "AND a.i1 = c.i1 ORDER BY c.i1 DESC, a.i0 LIMIT 1"
    )
    assert swapped.column("j").to_pylist() == [2]


def test_ordinary_columns_beside_blocks(own: Tensors) -> None:
    own.db.create_table("names", pa.table({"key": [0, 1, 2], "name": ["x", "y", "z"]}))
    table = own.table(
        "SELECT n.name, sum(block_sum(a.block)) AS s, max(len(a.block)) AS n "
        "FROM a JOIN names n ON n.key = a.i0 GROUP BY n.name ORDER BY n.name"
    )
    a = own.arrays["a"]
    sums = [a[0:3].sum(), a[3:6].sum(), a[6:7].sum()]
    np.testing.assert_allclose(table.column("s").to_pylist(), sums, rtol=1e-12)
    assert table.column("n").to_pylist() == [6, 6, 2]
    steps = own.db.sql("SELECT count(*) FROM names n JOIN a ON n.key = a.i0").plan_text
    assert steps.startswith("tensors gpudb_blocks_1 = a")


@pytest.mark.parametrize(
    ("sql", "rows", "result"),
    [
        ("SELECT norm(block) FROM a WHERE i0 = 1 AND i1 > 0", 2, 2),
        ("SELECT norm(a.block) FROM a, c WHERE a.i0 = 1 AND (a.i1 = 0 OR c.i0 = 2)", 3, 15),
        ("SELECT norm(x.q) FROM a AS x(i, j, q) WHERE x.j IN (0, 2) AND norm(x.q) >= 0", 6, 6),
        ("SELECT norm(block) FROM a WHERE i0 = 1 OR i1 = 0", 9, 5),
        ("SELECT c.i0 FROM c LEFT JOIN a ON a.i0 = c.i0 WHERE a.i0 = 0 AND c.i1 = 0", 9, 3),
        ("SELECT len(block) FROM softmax(a) WHERE i0 < 1", 3, 3),
        ("SELECT len(block) FROM a WHERE i0 + 1 = 1 AND i1 = $k", 3, 1),
        ("SELECT len(block) FROM a WHERE i0 = 9", 0, 0),
    ],
)
def test_conditions_on_keys_prune_blocks(
    tensors: Tensors, sql: str, rows: int, result: int
) -> None:
    found = tensors.db.sql(sql, {"k": 2} if "$" in sql else None)
    assert found.rows == result
    line = next(x for x in found.plan_text.splitlines() if "= a" in x or "SOFTMAX" in x.upper())
    assert f"-- {rows} rows" in line


def test_a_part_over_tensors_is_computed_once_and_as_one_plan(tensors: Tensors) -> None:
    result = tensors.db.sql(
        f"WITH p AS ({PRODUCT}), unused AS (SELECT * FROM a) "
        "SELECT x.i0, y.i1 FROM p x JOIN p y ON x.i0 = y.i1 WHERE x.i1 = 0 OR y.i0 = 1"
    )
    assert result.plan_text.count("tensors gpudb_blocks") == 1
    assert result.rows == len(
        [
            1
            for x in np.ndindex(3, 2)
            for y in np.ndindex(3, 2)
            if x[0] == y[1] and (x[1] == 0 or y[0] == 1)
        ]
    )
    sub = tensors.table(f"SELECT count(*) AS n FROM ({PRODUCT}) WHERE i0 <> 1 OR i1 = 0")
    assert sub.to_pydict() == {"n": [5]}


def test_a_name_of_with_hides_the_tensor_it_reads(tensors: Tensors) -> None:
    table = tensors.table(
        "WITH a AS (SELECT * FROM a WHERE i0 = 0) SELECT count(*) AS n FROM a WHERE i1 < 2 OR false"
    )
    assert table.to_pydict() == {"n": [2]}


def test_unions_and_subqueries_in_conditions(tensors: Tensors) -> None:
    union = tensors.table("SELECT i0 FROM a UNION SELECT i1 + 10 FROM b ORDER BY 1")
    assert union.column(0).to_pylist() == [0, 1, 2, 10, 11]
    inside = tensors.table(
        "SELECT count(*) AS n FROM a WHERE i0 IN (SELECT i1 FROM b WHERE i0 = 0 OR false)"
    )
    assert inside.to_pydict() == {"n": [6]}


def test_block_macros(own: Tensors) -> None:
    own.db.create_tensor("one", np.array([[3.0, -4.0]]))
    table = own.table(
        "SELECT norm(block) AS n, block_sum(block) AS s, block_mean(block) AS m, "
        "block_min(block) AS lo, block_max(block) AS hi FROM one"
    )
    assert table.to_pylist() == [{"n": 5.0, "s": -1.0, "m": -0.5, "lo": -4.0, "hi": 3.0}]


def test_create_table_keeps_blocks_as_lists(own: Tensors) -> None:
    own.db.sql("CREATE TABLE kept AS SELECT i0, i1, RELU(block) AS block FROM a WHERE i0 = 1")
    found = own.table("SELECT i1, block FROM kept ORDER BY i1")
    assert found.column("i1").to_pylist() == [0, 1, 2]
    np.testing.assert_array_equal(
        np.concatenate([np.reshape(b, (3, -1)) for b in found.column("block").to_pylist()], 1),
        np.maximum(own.arrays["a"][3:6], 0),
    )


@pytest.mark.parametrize(
    ("sql", "kind", "message"),
    [
        ("SELECT * FROM nope", SqlError, "Tensors: a, b, c"),
        (
            "SELECT nope.i0, MATMUL(nope.block, a.block) FROM nope JOIN a ON nope.i1 = a.i0",
            SqlError,
            "no tensor 'nope'; tensors are: a, b, c",
        ),
        (
            "SELECT i1, SUM(RELU(block)) FROM a GROUP BY i0",
            SqlError,
            "key column i1 is not in GROUP BY",
        ),
        (
            "SELECT a.i0, MATMUL_T(a.block, w.block) FROM a JOIN w ON a.i1 = w.i1",
            SqlError,
            "a.i1 is neither in the SELECT list nor fixed",
        ),
        ("SELECT i0, RELU(block) FROM a", SqlError, "a.i1 is neither in the SELECT list"),
    ],
)
def test_mistakes(tensors: Tensors, sql: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        tensors.db.sql(sql)
