"""Expressions over a real database: computed, explained, stored, as Arrow, sparse."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

import gpudb
from gpudb.errors import CatalogError, DeviceError, InputError, SchemaError
from gpudb.exec import block_table as block_table_module


@pytest.fixture
def db(tmp_path):
    with gpudb.connect(tmp_path / "db", device="numpy", threads=1) as database:
        yield database


def numbers(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape)


def test_explain_shows_three_plans_and_what_they_took(db):
    a = db.create_tensor("a", numbers(6, 4), block=(2, 4))
    product = (a @ db.create_tensor("b", numbers(4, 3))).map("relu")
    text = product.explain()
    logical, rules, physical = text.split("\n\n")
    assert logical.startswith("logical plan\n")
    assert "Matmul(left=a, right=b)" in logical
    assert rules.startswith("after the rules\n")
    assert "Matmul(left=panels(a), right=panels(b))" in rules
    assert "physical plan of relu on numpy\nnote: fused execution: estimated fused" in physical
    assert "DenseGemm" in physical
    assert "seconds" not in text
    assert "seconds" in product.explain(analyze=True)


def test_the_text_of_an_expression_names_its_last_step(db):
    a = db.create_tensor("a", numbers(6, 4))
    assert repr(a.map("relu")) == "<TensorRelation Map(fn=relu) -> 6×4 float64>"
    assert (a.shape, a.ndim, a.dtype) == ((6, 4), 2, "float64")


@pytest.mark.parametrize("block", [(3, 2), (7, 5), (1, 1), (9, 9), (7, 2)], ids=str)
def test_arrow_has_a_row_per_block(db, block):
    values = numbers(7, 5)
    table = db.create_tensor("a", values, block=block).map("negative").arrow()
    assert table.schema.names == ["i0", "i1", "block"]
    assert table.schema.types == [pa.int32(), pa.int32(), pa.list_(pa.float64())]
    keys = list(np.ndindex(-(-7 // block[0]), -(-5 // block[1])))
    rows = list(zip(*(table.column(name).to_pylist() for name in ("i0", "i1")), strict=True))
    assert rows == keys
    for (i, j), found in zip(keys, table.column("block").to_pylist(), strict=True):
        place = np.s_[i * block[0] : (i + 1) * block[0], j * block[1] : (j + 1) * block[1]]
        assert found == (-values[place]).ravel().tolist()


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (1,), (2, 1, 3)], ids=str)
def test_arrow_of_odd_shapes(db, shape):
    table = db.create_tensor("a", numbers(*shape), block=(2,) * len(shape)).arrow()
    assert table.column_names == [*(f"i{axis}" for axis in range(len(shape))), "block"]
    assert sum(len(block) for block in table.column("block").to_pylist()) == np.prod(shape)


def test_arrow_of_more_than_one_chunk(db, monkeypatch):
    values = numbers(7, 5)
    a = db.create_tensor("a", values, block=(3, 2))
    whole = a.arrow()
    monkeypatch.setattr(block_table_module, "LIST_ELEMENTS", 13)  # two blocks of 6
    table = a.arrow()
    assert table.column("block").num_chunks == 5
    assert table.equals(whole)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "int32", "int8"])
def test_arrow_has_the_numbers_that_are_computed_with(db, dtype):
    values = np.arange(5).astype(dtype)
    table = db.create_tensor("a", values, block=(2,)).arrow()
    expected = "float32" if dtype == "float16" else dtype
    assert table.schema.field("block").type.value_type == pa.from_numpy_dtype(np.dtype(expected))
    assert table.column("block").to_pylist() == [[0, 1], [2, 3], [4]]


def test_an_expression_is_stored_under_a_name(db, tmp_path):
    values = numbers(6, 4)
    a = db.create_tensor("a", values, block=(4, 3))
    stored = a.map("square").store("b")
    assert stored.schema.block == (4, 3)
    again = db.create_tensor("c", stored + a, block=(1, 4))
    assert again.schema.block == (1, 4)
    assert db.tensors() == ["a", "b", "c"]
    db.close()
    with gpudb.connect(tmp_path / "db") as reopened:
        np.testing.assert_allclose(reopened.tensor("b").collect(), values**2)
        np.testing.assert_allclose(reopened.tensor("c").collect(), values**2 + values)


def test_a_half_tensor_is_stored_as_it_is_computed(db):
    half = db.create_tensor("half", np.arange(4, dtype=np.float16))
    assert half.map("square").store("squares").dtype == "float32"
    copy = half.store("copy")
    assert copy.dtype == "float32"
    np.testing.assert_array_equal(copy.collect(), np.arange(4))


def test_a_name_that_is_taken_changes_nothing(db):
    a = db.create_tensor("a", numbers(3))
    before = a.collect()
    with pytest.raises(CatalogError, match="'a' is there already"):
        a.map("square").store("a")
    with pytest.raises(SchemaError, match="one block extent per axis"):
        a.store("b", block=(1, 2))
    assert db.tensors() == ["a"]
    np.testing.assert_array_equal(db.tensor("a").collect(), before)


def test_two_databases_do_not_mix(db):
    a = db.create_tensor("a", numbers(3))
    with gpudb.connect(device="numpy") as other:
        theirs = other.create_tensor("a", numbers(3) + 1)
        with pytest.raises(InputError, match="two different databases"):
            a + theirs
        with pytest.raises(InputError, match="another database"):
            db.create_tensor("b", theirs)


def test_a_tensor_that_is_gone_or_another_is_not_read_as_zeros(db):
    old = db.create_tensor("a", numbers(3))
    kept = db.create_tensor("b", numbers(3))
    old.collect()
    db.drop_tensor("a")
    with pytest.raises(CatalogError, match="no tensor 'a'; tensors are: b"):
        (kept + old).collect()
    new = db.create_tensor("a", numbers(4))
    with pytest.raises(CatalogError, match=r"'a' was replaced .* found 4 float64, expected 3 "):
        old.collect()
    np.testing.assert_array_equal(new.collect(), numbers(4))


def test_a_device_without_numbers_stores_nothing(tmp_path):
    with gpudb.connect(tmp_path / "db", device="null") as db:
        a = db.create_tensor("a", numbers(3))
        with pytest.raises(DeviceError, match="computes shapes, no numbers"):
            a.store("b")
        assert db.tensors() == ["a"]


# Sparse tensors: blocks of zeros are not stored


def banded(rows=9, columns=7):
    """Zero but for the blocks of 3 × 2 on the diagonal."""
    values = np.zeros((rows, columns))
    for k in range(3):
        values[3 * k : 3 * k + 3, 2 * k : 2 * k + 2] = k + 1
    return values


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "int32", "int8"])
def test_blocks_of_zeros_are_not_stored(db, dtype, tmp_path):
    values = banded().astype(dtype)
    db.create_tensor("sparse", values, block=(3, 2), sparse=True)
    db.create_tensor("dense", values, block=(3, 2))
    rows = db.sql("SELECT name, blocks, bytes FROM gpudb.tensors ORDER BY name").fetchall()
    nbytes = 6 * values.itemsize
    assert rows == [("dense", 12, 12 * nbytes), ("sparse", 3, 3 * nbytes)]
    keys = db.sql("SELECT key FROM gpudb.blocks WHERE tensor = 'sparse' ORDER BY number").fetchall()
    assert [json.loads(k) if isinstance(k, str) else k for (k,) in keys] == [[0, 0], [1, 1], [2, 2]]
    db.close()
    with gpudb.connect(tmp_path / "db") as again:
        np.testing.assert_array_equal(again.tensor("sparse").collect(), values)


def test_equal_blocks_are_stored_once_whether_sparse_or_not(db):
    values = banded()
    db.create_tensor("dense", values, block=(3, 2))
    pages = db.sql("SELECT count(*), sum(blocks), sum(bytes) FROM gpudb.pages").fetchone()
    assert pages[1] == 4  # three and the one of zeros
    db.create_tensor("sparse", values, block=(3, 2), sparse=True)
    assert db.sql("SELECT count(*), sum(blocks), sum(bytes) FROM gpudb.pages").fetchone() == pages
    db.drop_tensor("dense")
    db.vacuum()
    np.testing.assert_array_equal(db.tensor("sparse").collect(), values)
    assert db.verify() == pages[0]


@pytest.mark.parametrize(
    ("values", "blocks"),
    [
        (np.zeros((5, 3)), 0),
        (np.zeros((0, 3)), 0),
        (np.full((5, 3), -0.0), 6),  # minus zero is not all bits zero: kept
        (np.pad([[np.nan]], ((4, 0), (2, 0))), 1),
        (np.pad([[1.0]], ((4, 0), (2, 0))), 1),
    ],
)
def test_sparse_tensors_of_odd_content(db, values, blocks):
    made = db.create_tensor("a", values, block=(2, 2), sparse=True)
    assert db.sql("SELECT blocks FROM gpudb.tensors").fetchone() == (blocks,)
    found = made.collect()
    assert found.tobytes() == values.tobytes()
    assert made.arrow().num_rows == blocks
    panels = db.create_tensor("panels", values, block=(1, 3), sparse=True)
    assert panels.arrow().num_rows == np.any(values.view(np.int64), axis=1).sum()


def test_expressions_over_sparse_tensors(db):
    values = banded()
    a = db.create_tensor("a", values, block=(3, 2), sparse=True)
    b = db.create_tensor("b", numbers(7, 4), block=(2, 3))
    np.testing.assert_allclose((a @ b).collect(), values @ numbers(7, 4), atol=1e-12)
    np.testing.assert_allclose(a.map("exp").collect(), np.exp(values))  # exp(0) is 1
    np.testing.assert_allclose((a + a).collect(), 2 * values)
    panels = db.create_tensor("panels", values, sparse=True, block=(3, 7))
    np.testing.assert_allclose((panels @ b).collect(), values @ numbers(7, 4), atol=1e-12)


def test_the_result_of_an_expression_is_stored_sparse(db):
    a = db.create_tensor("a", banded() - 2, block=(3, 2))
    b = db.create_tensor("b", np.full((9, 7), 2.0), block=(3, 2))
    stored = (a + b).store("sum", sparse=True)
    assert db.sql("SELECT blocks FROM gpudb.tensors WHERE name = 'sum'").fetchone() == (3,)
    np.testing.assert_array_equal(stored.collect(), banded())


def test_filtered_scans_read_what_is_stored(db):
    values = banded()
    a = db.create_tensor("a", values, block=(3, 2), sparse=True)
    expected = values.copy()
    expected[:3] = 0
    np.testing.assert_array_equal(a.filter(("i0", ">=", 1)).collect(), expected)
    assert a.filter(i0=1).arrow().num_rows == 1
    assert a.filter(i0=0, i1=1).arrow().num_rows == 0
