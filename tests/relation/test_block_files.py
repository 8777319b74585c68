"""Tensors as Parquet files: the same file from every device, exact and back, or an error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gpudb
from gpudb.catalog.tensors import tensor
from gpudb.errors import GpudbError
from gpudb.relation import block_files
from gpudb.types import STORAGE_DTYPES, HostArray, TensorSchema

DEVICES = [
    "numpy",
    pytest.param("emulated", marks=pytest.mark.proof),
    pytest.param("cuda", marks=pytest.mark.gpu),
]
"""``emulated`` is the CUDA backend over stand-ins, ``cuda`` the same on a GPU."""

SHAPES = [
    ((1,), (1,)),
    ((4,), (4,)),
    ((5,), (4,)),
    ((3,), (4,)),
    ((5, 7), (2, 3)),
    ((4, 6), (2, 3)),
    ((2, 3, 5), (1, 2, 2)),
    ((0, 3), (2, 3)),
    ((3, 0), (2, 3)),
]
SPECIAL = [np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-40]


@pytest.fixture(params=DEVICES)
def db(request: pytest.FixtureRequest) -> Iterator[gpudb.Database]:
    if request.param != "emulated":
        with gpudb.connect(device=request.param) as opened:
            yield opened
        return
    from tests.cuda.standin.install import standin

    with standin(), gpudb.connect(device="cuda", memory_limit="256MB") as opened:
        yield opened


def _bits(shape: tuple[int, ...], dtype: str) -> HostArray:
    """Stored elements of any bits: every float is among them, special ones first."""
    stored = STORAGE_DTYPES[dtype]
    count = int(np.prod(shape))
    raw = np.random.default_rng(3).integers(0, 256, count * stored.itemsize, np.uint8)
    values = raw.view(stored)
    if stored.kind == "f":
        some = min(count, len(SPECIAL))
        values[:some] = np.array(SPECIAL[:some]).astype(stored)
    return values.reshape(shape)


def _store(db: gpudb.Database, name: str, bits: HostArray, dtype: str, block: Any) -> None:
    schema = TensorSchema(name, bits.shape, block, dtype)
    db._store.put(schema, bits, sparse=True)


def _stored(db: gpudb.Database, name: str) -> tuple[TensorSchema, HostArray, HostArray]:
    """Schema, keys and bits of a stored tensor."""
    found = tensor(db._store.catalog, name)
    dense = np.ascontiguousarray(db._store.dense(found))
    return found.schema, db._store.keys(found), dense.reshape(-1).view(np.uint8)


def _check_same(db: gpudb.Database, found: str, expected: str) -> None:
    mine, theirs = _stored(db, found), _stored(db, expected)
    assert mine[0].renamed("x") == theirs[0].renamed("x")
    np.testing.assert_array_equal(mine[1], theirs[1])
    np.testing.assert_array_equal(mine[2], theirs[2])


@pytest.mark.parametrize("dtype", STORAGE_DTYPES)
@pytest.mark.parametrize(("shape", "block"), SHAPES)
def test_a_tensor_and_back_bit_by_bit(
    db: gpudb.Database, tmp_path: Path, shape: Any, block: Any, dtype: str
) -> None:
    _store(db, "x", _bits(shape, dtype), dtype, block)
    db.tensor("x").parquet(tmp_path / "x.parquet")
    back = db.create_tensor("y", tmp_path / "x.parquet")
    assert back.schema == TensorSchema("y", shape, block, dtype)
    _check_same(db, "y", "x")
    assert [f.name for f in tmp_path.iterdir()] == ["x.parquet"]


def test_blocks_that_are_missing_stay_missing(db: gpudb.Database, tmp_path: Path) -> None:
    x = np.zeros((5, 5), np.float32)
    x[4, 4], x[0, 2] = 1, -0.0
    db.create_tensor("x", x, block=(2, 2), sparse=True)
    db.create_tensor("zeros", x * 0, block=(2, 2), sparse=True)
    db.create_tensor("x full", x, block=(2, 2))
    for name, blocks in (("x", 2), ("zeros", 1), ("x full", 9)):
        db.tensor(name).parquet(tmp_path / "x.parquet")
        db.create_tensor(f"{name} again", str(tmp_path / "x.parquet"))
        _check_same(db, f"{name} again", name)
        assert len(_stored(db, name)[1]) == blocks
    db.create_tensor("y", tmp_path / "x.parquet", sparse=True)
    _check_same(db, "y", "x")


def test_batches_and_row_groups(
    db: gpudb.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_files, "BATCH_NBYTES", 2 * 2 * 3 * 4)  # two blocks
    _store(db, "x", _bits((5, 7), "float32"), "float32", (2, 3))
    db.tensor("x").parquet(tmp_path / "x.parquet")
    assert pq.ParquetFile(tmp_path / "x.parquet").num_row_groups == 5
    db.create_tensor("y", tmp_path / "x.parquet")
    _check_same(db, "y", "x")


def test_results_of_expressions(db: gpudb.Database, tmp_path: Path) -> None:
    x = np.arange(35, dtype=np.float32).reshape(5, 7)
    doubled = db.create_tensor("x", x, block=(2, 3)) * 2
    doubled.parquet(tmp_path / "x.parquet")
    y = db.create_tensor("y", tmp_path / "x.parquet")
    np.testing.assert_array_equal(y.collect(), x * 2)
    doubled.on_device().parquet(tmp_path / "x.parquet")  # what was there is replaced
    np.testing.assert_array_equal(
        db.create_tensor("z", tmp_path / "x.parquet").collect(), y.collect()
    )
    # Half types are computed in float32, and said to be that.
    _store(db, "h", _bits((4,), "bfloat16"), "bfloat16", (4,))
    (db.tensor("h") * 1).parquet(tmp_path / "h.parquet")
    assert db.create_tensor("w", tmp_path / "h.parquet").dtype == "float32"


def test_the_file_is_the_block_table(db: gpudb.Database, tmp_path: Path) -> None:
    x = np.arange(35, dtype=np.float32).reshape(5, 7)
    expression = db.create_tensor("x", x, block=(2, 3))
    expression.parquet(tmp_path / "x.parquet")
    found = pq.read_table(tmp_path / "x.parquet")
    assert found.to_pylist() == expression.arrow().to_pylist()
    assert [str(t) for t in found.schema.types] == [
        *("int32", "int32"), f"list<{found.schema.types[2].value_field.name}: float>"
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "int64", "int32", "int8"])
def test_duckdb_reads_it(db: gpudb.Database, tmp_path: Path, dtype: str) -> None:
    bits = _bits((5, 7), dtype)
    _store(db, "x", bits, dtype, (2, 3))
    file = tmp_path / "x.parquet"
    db.tensor("x").parquet(file)
    rows = duckdb.sql(f"SELECT i0, i1, block FROM '{file}' ORDER BY i0, i1").fetchall()
    assert [row[:2] for row in rows] == list(np.ndindex(3, 3))
    for i, j, block in rows:
        expected = bits[2 * i : 2 * i + 2, 3 * j : 3 * j + 3].reshape(-1)
        np.testing.assert_array_equal(np.array(block, bits.dtype), expected)


def _rewritten(file: Path, change: Callable[[pa.Table], pa.Table], **metadata: Any) -> Path:
    """A file like another, with other rows and metadata."""
    table = pq.read_table(file)
    content = json.loads(table.schema.metadata[b"gpudb.tensor"]) | metadata
    out = file.with_name(f"rewritten-{len(list(file.parent.iterdir()))}.parquet")
    changed = change(table).replace_schema_metadata({"gpudb.tensor": json.dumps(content)})
    pq.write_table(changed, out)
    return out


@pytest.fixture
def file(db: gpudb.Database, tmp_path: Path) -> Path:
    """Of a tensor ``x``, 5×7 in 2×3 blocks."""
    _store(db, "x", _bits((5, 7), "float32"), "float32", (2, 3))
    db.tensor("x").parquet(tmp_path / "x.parquet")
    return tmp_path / "x.parquet"


@pytest.mark.parametrize("cuts", [[[0, 9]], [[0, 4], [4, 9]], [[4, 9], [0, 4]], [[0, 0], [0, 9]]])
def test_several_files_in_any_order(db: gpudb.Database, file: Path, cuts: list[list[int]]) -> None:
    files = [_rewritten(file, lambda t, a=a, b=b: t.slice(a, b - a)) for a, b in cuts]
    db.create_tensor("y", files)
    _check_same(db, "y", "x")


def test_rows_in_any_order(db: gpudb.Database, file: Path) -> None:
    order = np.random.default_rng(5).permutation(9)
    db.create_tensor("y", _rewritten(file, lambda t: t.take(order)))
    _check_same(db, "y", "x")
    files = [_rewritten(file, lambda t, i=i: t.take(order[i::2])) for i in range(2)]
    db.create_tensor("z", files)
    _check_same(db, "z", "x")


def test_a_file_that_duckdb_wrote(db: gpudb.Database, file: Path, tmp_path: Path) -> None:
    said = pq.read_metadata(file).metadata[b"gpudb.tensor"].decode()
    out = tmp_path / "out.parquet"
    duckdb.sql(
        f"COPY (FROM '{file}' ORDER BY i1 DESC) TO '{out}' "
        f"(FORMAT parquet, KV_METADATA {{'gpudb.tensor': '{said}'}})"
    )
    db.create_tensor("y", out)
    _check_same(db, "y", "x")


def _with(name: str, change: Callable[[Any], Any]) -> Callable[[pa.Table], pa.Table]:
    """Another column in place of one."""
    return lambda t: t.set_column(t.column_names.index(name), name, change(t[name]))


def _first(values: Any, value: Any) -> pa.Array:
    return pa.array([value, *values.to_pylist()[1:]], values.type)


BAD = {
    "no key": (lambda t: t.drop_columns("i1"), {}, "found the columns i0 int32, block"),
    "no block": (lambda t: t.drop_columns("block"), {}, "found the columns i0 int32, i1 int32;"),
    "one more": (lambda t: t.append_column("i2", t["i0"]), {}, "expected i0 int32, i1 int32, blo"),
    "another order": (lambda t: t.select(["i1", "i0", "block"]), {}, "found the columns i1"),
    "wide keys": (_with("i0", lambda c: c.cast(pa.int64())), {}, "found the columns i0 int64"),
    "other elements": (
        _with("block", lambda c: c.cast(pa.list_(pa.float64()))), {}, "block list<.*double>; exp"
    ),
    "too short": (_with("block", lambda c: _first(c, [1.0])), {}, r"at \(0, 0\) has 1 elem.* 6"),
    "padded": (lambda t: t.set_column(2, "block", pa.array([[1.0] * 6] * 9, t["block"].type)),
               {}, r"at \(0, 2\) has 6 elements; expected 2"),
    "no list": (_with("block", lambda c: _first(c, None)), {}, "1 .* null, expected none"),
    "no element": (_with("block", lambda c: _first(c, [None] * 6)), {}, "6 .* null, expected"),
    "null key": (_with("i0", lambda c: _first(c, None)), {}, "1 keys are null"),
    "twice": (_with("i1", lambda c: _first(c, 1)), {}, r"2 rows have the key \(0, 1\)"),
    "negative": (_with("i0", lambda c: _first(c, -1)), {}, r"no block has the key \(-1, 0\)"),
    "outside": (_with("i1", lambda c: _first(c, 3)), {}, r"key \(0, 3\).*is \(3, 3\)"),
    "one less": (lambda t: t.slice(1), {}, "found 8 blocks, its files had 9"),
    "version": (lambda t: t, {"version": 2}, "expected version 1"),
    "shape": (lambda t: t, {"shape": "57"}, "expected version 1"),
    "no axis": (lambda t: t, {"shape": [], "block": []}, "expected version 1"),
    "another rank": (lambda t: t, {"shape": [5]}, "one block extent per axis"),
    "fewer axes": (lambda t: t, {"shape": [5], "block": [2]}, "expected i0 int32, block list"),
    "fractions": (lambda t: t, {"shape": [5.0, 7]}, "expected version 1"),
    "blocks of none": (lambda t: t, {"block": [0, 3]}, "blocks >= 1"),
    "dtype": (lambda t: t, {"dtype": "complex64"}, "'complex64' is not supported"),
    "another dtype": (lambda t: t, {"dtype": "float16"}, "expected .*list<.*uint16>"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_files(db: gpudb.Database, file: Path, case: str) -> None:
    change, metadata, message = BAD[case]
    bad = _rewritten(file, change, **metadata)
    before = db.tensors()
    with pytest.raises(GpudbError, match=message):
        db.create_tensor("y", bad)
    assert db.tensors() == before
    db.create_tensor("y", file)  # the name is free


def test_files_that_are_none(db: gpudb.Database, file: Path, tmp_path: Path) -> None:
    plain, broken = tmp_path / "plain.parquet", tmp_path / "broken.parquet"
    pq.write_table(pa.table({"i0": [1]}), plain)
    broken.write_bytes(b"PAR1")
    other = _rewritten(file, lambda t: t, blocks=10)
    wrong = tmp_path / "wrong.parquet"
    pq.write_table(pa.table({"i0": [1]}).replace_schema_metadata({"gpudb.tensor": "{"}), wrong)
    for values, message in [
        (tmp_path / "none.parquet", "no such file"),
        (broken, "not a readable Parquet file"),
        (plain, "nothing in its metadata is called 'gpudb.tensor'"),
        (wrong, "expected version 1"),
        ([file, other], "expected files of one tensor"),
        ([file, file], "2 rows have the key"),
    ]:
        with pytest.raises(GpudbError, match=message):
            db.create_tensor("y", values)
    assert db.tensors() == ["x"]


@pytest.mark.parametrize("db", DEVICES[:2], indirect=True)  # a GPU might not survive it
def test_damaged_pages(db: gpudb.Database, file: Path) -> None:
    content = bytearray(file.read_bytes())
    start = pq.read_metadata(file).row_group(0).column(2).data_page_offset
    content[start : start + 40] = b"\xff" * 40
    file.write_bytes(content)
    with pytest.raises(GpudbError, match="read"):
        db.create_tensor("y", file)
    assert db.tensors() == ["x"]


def test_options_beside_files(db: gpudb.Database, file: Path) -> None:
    db.create_tensor("y", file, block=(2, 3), keys=["row", "col"])
    assert "row" in db.sql("SELECT * FROM y").columns
    with pytest.raises(GpudbError, match=r"have blocks of \(2, 3\)"):
        db.create_tensor("z", file, block=(5, 7))
    with pytest.raises(GpudbError):
        db.create_tensor("z", file, keys=["row"])
    assert db.tensors() == ["x", "y"]


def test_a_folder_that_is_not_there(db: gpudb.Database, tmp_path: Path) -> None:
    x = db.create_tensor("x", np.ones(3, np.float32))
    with pytest.raises(GpudbError, match="cannot be written"):
        x.parquet(tmp_path / "none" / "x.parquet")


def test_a_tensor_that_is_gone(db: gpudb.Database, tmp_path: Path) -> None:
    x = db.create_tensor("x", np.ones(3, np.float32))
    db.drop_tensor("x")
    with pytest.raises(GpudbError, match="no tensor"):
        x.parquet(tmp_path / "x.parquet")
    assert not list(tmp_path.iterdir())


def test_shapes_alone_are_not_written(tmp_path: Path) -> None:
    with gpudb.connect(device="null") as db:
        x = db.create_tensor("x", np.ones(3, np.float32))
        for write in (x.parquet, (x * 2).parquet, x.on_device().parquet):
            with pytest.raises(GpudbError, match="computes shapes, no numbers"):
                write(tmp_path / "x.parquet")
    assert not list(tmp_path.iterdir())


def test_weights_of_a_model(db: gpudb.Database, minilm_folder: Path, tmp_path: Path) -> None:
    db.import_model(minilm_folder, "minilm")
    weight = db.tensor("encoder.layer.0.attention.output.dense.weight", model="minilm")
    weight.parquet(tmp_path / "w.parquet")
    back = db.create_tensor("w", tmp_path / "w.parquet")
    np.testing.assert_array_equal(back.collect(), weight.collect())
