"""Any shapes and blocks: the same queries, against NumPy and against DuckDB over scalars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gpudb
from gpudb import Database

EXTENT = st.integers(1, 9)
BLOCK = st.integers(1, 11)


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    with gpudb.connect(history=False) as opened:
        yield opened


def stored(db: Database, name: str, array: np.ndarray[Any, Any], *block: int, sparse: bool) -> None:
    db.sql(f"DROP TENSOR IF EXISTS {name}")
    db.create_tensor(name, array, block=block, sparse=sparse)


def collected(db: Database, sql: str) -> np.ndarray[Any, Any]:
    db.sql(f"CREATE OR REPLACE TENSOR result AS {sql}")
    return db.tensor("result").collect()


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(m=EXTENT, k=EXTENT, n=EXTENT, blocks=st.tuples(*[BLOCK] * 4), data=st.data())
def test_products_maps_and_filters(
    db: Database, m: int, k: int, n: int, blocks: tuple[int, ...], data: st.DataObject
) -> None:
    generator = np.random.default_rng([m, k, n, *blocks])
    left, right = generator.standard_normal((m, k)), generator.standard_normal((k, n))
    zeros = data.draw(st.booleans())
    if zeros:
        left[: blocks[0]] = 0
    stored(db, "l", left, blocks[0], blocks[1], sparse=zeros)
    stored(db, "r", right, blocks[2], blocks[3], sparse=False)
    first = data.draw(st.integers(0, 3))
    found = collected(
        db,
        "SELECT l.i0 AS i, r.i1 AS j, TANH(SUM(MATMUL(l.block, 2 * r.block))) + 1 AS block "
        f"FROM l JOIN r ON l.i1 = r.i0 WHERE l.i0 >= {first} GROUP BY l.i0, r.i1",
    )
    expected = np.tanh(left @ (2 * right)) + 1
    expected[: first * blocks[0]] = 0
    # float64, sums of at most 9 terms of size 1.
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(m=EXTENT, k=EXTENT, blocks=st.tuples(*[BLOCK] * 2), fn=st.sampled_from(["SUM", "MAX"]))
def test_duckdb_aggregates_the_same_scalars(
    db: Database, m: int, k: int, blocks: tuple[int, int], fn: str
) -> None:
    array = np.random.default_rng([m, k, *blocks]).standard_normal((m, k))
    stored(db, "l", array, *blocks, sparse=False)
    rows, columns = np.indices((m, k)).reshape(2, -1)
    scalars = pa.table({"r": rows, "c": columns, "x": array.reshape(-1)})
    duck = duckdb.connect()
    duck.register("scalars", scalars)
    # Blocks of a group are combined place by place: the group is a row of blocks.
    theirs = duck.execute(
        f"SELECT r, c % $w AS place, {fn}(x) AS x FROM scalars GROUP BY ALL ORDER BY ALL",
        {"w": blocks[1]},
    ).fetchnumpy()["x"]
    ours = collected(db, f"SELECT i0, {fn}(block) AS block FROM l GROUP BY i0")
    # float64, sums of at most 9 terms of size 1.
    np.testing.assert_allclose(ours.reshape(-1), theirs, rtol=1e-12, atol=1e-12)


def test_special_numbers_and_half_types(db: Database) -> None:
    array = np.array([[np.nan, np.inf, -0.0], [-np.inf, 1.0, 0.0], [0.0, 0.0, 0.0]])
    stored(db, "s", array, 2, 2, sparse=True)
    found = collected(db, "SELECT i0, i1, block * 2 AS block FROM s")
    np.testing.assert_array_equal(found, array * 2)
    assert np.signbit(found[0, 2])
    half = np.array([[1.5, -2.0, 65504.0]], np.float16)
    stored(db, "h", half, 1, 2, sparse=False)
    assert db.sql("SELECT * FROM h").fetchall() == [(0, 0, [1.5, -2.0]), (0, 1, [65504.0])]


def test_an_empty_tensor(db: Database) -> None:
    stored(db, "none", np.zeros((0, 5)), 3, 2, sparse=False)
    assert db.sql("SELECT * FROM none").rows == 0
    assert collected(db, "SELECT i0, i1, block + 1 AS block FROM none").shape == (0, 5)
