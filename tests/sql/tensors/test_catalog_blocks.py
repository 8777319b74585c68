"""Blocks of the catalog's table: the right elements, and no more read than a query needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpudb.errors import SqlError, UnsupportedError
from gpudb.relation import StoredTensors
from tests.sql.tensors.conftest import Tensors


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The blocks that are read, by name."""
    names: list[Any] = []
    real = StoredTensors.block_lists

    def noting(self: StoredTensors, wanted: Any) -> Any:
        names.extend(wanted)
        return real(self, wanted)

    monkeypatch.setattr(StoredTensors, "block_lists", noting)
    return names


def test_only_the_rows_that_where_leaves_are_read(tensors: Tensors, read: list[Any]) -> None:
    table = tensors.table(
        "SELECT t.name, b.key, norm(b.block) AS n FROM gpudb.tensors t "
        "JOIN gpudb.blocks b ON b.tensor = t.name "
        "WHERE t.name IN ('a', 'v') AND b.key[1] = $k AND norm(b.block) >= 0 ORDER BY ALL",
        {"k": 1},
    )
    a, v = tensors.arrays["a"], tensors.arrays["v"]
    expected = [np.linalg.norm(a[3:6, 2 * k : 2 * k + 2]) for k in range(3)]
    expected.append(np.linalg.norm(v[2:4]))
    np.testing.assert_allclose(table.column("n").to_pylist(), expected, rtol=1e-12)
    assert sorted(read) == [(None, None, "a", n) for n in (3, 4, 5)] + [(None, None, "v", 1)]


def test_a_filter_on_blocks_and_with(tensors: Tensors, read: list[Any]) -> None:
    table = tensors.table(
        "WITH wanted AS (SELECT 'v' AS tensor) SELECT number, block FROM gpudb.blocks "
        "WHERE tensor IN (SELECT tensor FROM wanted) AND block_max(block) > -100 ORDER BY number"
    )
    found = np.concatenate(table.column("block").to_pylist())
    np.testing.assert_array_equal(found, tensors.arrays["v"])
    assert len(read) == 3


def test_no_block_no_reading(tensors: Tensors, read: list[Any]) -> None:
    count = tensors.table(
        "SELECT count(*) AS n, max(t.block) AS b FROM gpudb.blocks, gpudb.tensors t"
    )
    assert count.num_rows == 1
    assert read == []
    none = tensors.table("SELECT b.block FROM gpudb.blocks b WHERE b.tensor = 'nope'")
    assert none.num_rows == 0
    assert read == []


def test_blocks_of_several_dtypes_are_float64(own: Tensors) -> None:
    own.db.create_tensor("whole", np.array([1, 2, 3]), block=(2,))
    own.db.create_tensor("half", np.array([0.5, 2], np.float16))
    table = own.table(
        "SELECT b.tensor, b.block FROM gpudb.blocks b WHERE b.tensor IN ('whole', 'half') "
        "ORDER BY b.tensor, b.number"
    )
    assert table.column("block").to_pylist() == [[0.5, 2.0], [1.0, 2.0], [3.0]]


def test_what_cannot_be(own: Tensors) -> None:
    with pytest.raises(SqlError, match="write that condition in WHERE"):
        own.db.sql(
            "SELECT 1 FROM gpudb.tensors t JOIN gpudb.blocks b ON b.tensor = t.name "
            "AND norm(b.block) > 0"
        )
    with pytest.raises(UnsupportedError, match="CREATE VIEW over a tensor"):
        own.db.sql("CREATE TEMP VIEW x AS SELECT b.block FROM gpudb.blocks b")
