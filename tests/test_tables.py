"""The user's tables: whatever people hold them in, stored, linked, and refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gpudb
from gpudb.errors import CatalogError, InputError, SqlError
from gpudb.store import TensorStore
from gpudb.tables import UserTables, as_reader
from tests import cudf_objects

COLUMNS: dict[str, list[Any]] = {"id": [1, 2, 3], "text": ["ä🦆", None, ""], "x": [0.5, None, 1.0]}
ROWS = [(1, "ä🦆", 0.5), (2, None, None), (3, "", 1.0)]
TABLE = pa.table(COLUMNS)


@pytest.fixture
def db() -> Iterator[gpudb.Database]:
    with gpudb.connect(device="numpy", threads=1) as database:
        yield database


class Stream:
    """Nothing but the Arrow stream interface."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return TABLE.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)]),
        pa.concat_tables([TABLE, TABLE]).slice(3),
        TABLE.to_reader(max_chunksize=1),
        TABLE.to_batches()[0],
        pl.DataFrame(COLUMNS),
        pl.DataFrame(COLUMNS, schema_overrides={"text": pl.Categorical}),
        pd.DataFrame(COLUMNS),
        pd.DataFrame(COLUMNS, index=[7, 8, 9]),
        pd.DataFrame(COLUMNS).astype({"text": object}),
        cudf_objects.DataFrame(TABLE, index=[7, 8, 9]),
        Stream(),
    ],
    ids=lambda data: type(data).__name__,
)
def test_every_form_of_a_table(db: gpudb.Database, data: object) -> None:
    db.create_table("t", data)
    assert db.sql("FROM t").fetchall() == ROWS
    assert db.sql("SELECT rows FROM gpudb.tables").fetchall() == [(3,)]
    with pytest.raises(CatalogError, match="table 't' is there already"):
        db.create_table("T", TABLE)


def test_a_result_becomes_a_table(db: gpudb.Database) -> None:
    db.create_table("t", db.sql("SELECT 1 AS a, [1.0, 2.0]::FLOAT[2] AS v"))
    assert db.sql("FROM t").fetchall() == [(1, [1.0, 2.0])]


def test_parquet_paths(db: gpudb.Database, tmp_path: Path) -> None:
    files = [tmp_path / "a 'quoted'.parquet", tmp_path / "ä.parquet"]
    for number, file in enumerate(files):
        pq.write_table(TABLE.slice(number, 1 + number), file)
    db.create_table("path", files[0])
    db.create_table("text", str(files[0]))
    db.create_table("whole", [str(files[0]), files[1]])
    db.link_table("linked", files)
    db.link_table("one", str(files[0]))
    for name, expected in [("path", 1), ("text", 1), ("whole", 3), ("linked", 3), ("one", 1)]:
        assert db.sql(f"FROM {name}").fetchall() == ROWS[:expected]
    db.sql("INSERT INTO linked SELECT * FROM one")
    assert db.sql("FROM linked").fetchall() == [*ROWS, ROWS[0]]
    db.sql("CREATE OR REPLACE TABLE linked AS SELECT id FROM linked")
    db.drop_table("one")
    assert all(file.exists() for file in files)


def test_a_linked_file_that_is_gone_spoils_nothing_else(db: gpudb.Database, tmp_path: Path) -> None:
    db.create_table("good", TABLE)
    pq.write_table(TABLE, tmp_path / "gone.parquet")
    db.link_table("linked", tmp_path / "gone.parquet")
    (tmp_path / "gone.parquet").unlink()
    assert db.sql("FROM good").rows == 3
    with pytest.raises(SqlError, match=r"Table 'linked' cannot be read: .*gone.parquet"):
        db.sql("FROM linked")
    pq.write_table(TABLE, tmp_path / "gone.parquet")
    assert db.sql("FROM linked").rows == 3
    db.drop_table("linked")


@pytest.mark.parametrize("rows", [0, 1, 1023, 1024, 1025, 130_000])
def test_row_counts_and_row_order(db: gpudb.Database, rows: int) -> None:
    db.create_table("t", pa.table({"n": pa.array(np.arange(rows))}))
    np.testing.assert_array_equal(db.sql("FROM t").numpy("n"), np.arange(rows))


@pytest.mark.parametrize(
    "name", ["t", "Ünï🦆", 'a"b', "it's", "select", "gpudb", "a b.c;--", "q/../x"]
)
def test_any_name(db: gpudb.Database, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    db.create_table(name, pa.table({name: [1]}))
    assert db.sql(f"SELECT {quoted} FROM {quoted}").fetchall() == [(1,)]
    db.sql(f"INSERT INTO {quoted} VALUES (2)")
    db.create_table(name, TABLE, replace=True)
    assert db.sql(f"FROM {quoted}").fetchall() == ROWS
    assert db.describe(name).rows == 3
    db.sql(f"DROP TABLE {quoted}")
    assert db.tables() == []


@pytest.mark.parametrize(
    "value_type",
    [
        pa.float16(), pa.float32(), pa.float64(), pa.int8(), pa.int16(), pa.int32(), pa.int64(),
        pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.bool_(), pa.string(),
    ],
    ids=str,
)  # fmt: skip
def test_vectors_keep_their_width(db: gpudb.Database, value_type: pa.DataType) -> None:
    values = pa.array([[1, 0], None, [0, 1]], pa.list_(pa.int8(), 2))
    column = values.cast(pa.list_(value_type, 2))
    db.create_table("t", pa.table({"v": column}))
    found = db.sql("FROM t").arrow().column("v")
    assert found.to_pylist() == column.to_pylist()
    assert pa.types.is_fixed_size_list(found.type)
    assert found.type.list_size == 2
    db.sql("INSERT INTO t SELECT * FROM t")
    assert db.sql("FROM t").rows == 6


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["a", None, "b"]).dictionary_encode(),
        pa.array(["a", None, "b"], pa.string_view()),
        pa.array(["a", None, "b"], pa.large_string()),
        pa.array([b"a", None, b""]),
        pa.array([1, None, 3], pa.decimal128(10, 2)),
        pa.array([1, None, 3], pa.timestamp("ns")),
        pa.array([1, None, 3], pa.date32()),
        pa.array([[1], None, []]),
        pa.array([{"a": 1}, None, {"a": None}]),
        pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        pa.array([float("nan"), float("inf"), -0.0]),
        pa.nulls(3),
    ],
    ids=lambda column: str(column.type),
)
def test_columns_come_back_as_they_were(db: gpudb.Database, column: pa.Array) -> None:
    db.create_table("t", pa.table({"c": column}))
    assert repr(db.sql("FROM t").arrow().column("c").to_pylist()) == repr(column.to_pylist())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, "found int for a table; expected an Arrow table"),
        ({"a": [1]}, "found dict for a table"),
        ([{"a": 1}], "found list for a table"),
        ([], "found list for a table"),
        (pl.LazyFrame({"a": [1]}), "found LazyFrame for a table"),
        (pl.Series("a", [1]), "found Series, which does not become an Arrow table"),
        (pd.Series([1]), "found Series, which does not become an Arrow table"),
        (pd.DataFrame({"a": [object()]}), "found DataFrame, which does not become"),
        (pa.array([1]), "found Int64Array for a table"),
        (pa.table({}), "found no columns"),
        (pa.table({"v": pa.array([{}], pa.struct([]))}), "cannot be stored as Parquet.*v struct"),
        ("missing.parquet", "missing.parquet: no such file"),
        (["missing.parquet"], "missing.parquet: no such file"),
        (Path(__file__), "test_tables.py: not a readable Parquet file"),
        (Path(__file__).parent, "not a readable Parquet file"),
    ],
)
def test_what_is_no_table_is_refused_and_nothing_stored(
    db: gpudb.Database, data: object, message: str
) -> None:
    db.create_table("kept", TABLE)
    for name, replace in (("t", False), ("kept", True)):
        with pytest.raises(InputError, match=message):
            db.create_table(name, data, replace=replace)
    assert db.tables() == ["kept"]
    assert db.sql("FROM kept").fetchall() == ROWS
    assert len(list((db.folder / "tables").iterdir())) == 1


@pytest.mark.parametrize(("name", "message"), [("", "found an empty one"), (5, "is a int")])
def test_names_that_are_none(db: gpudb.Database, name: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        db.create_table(name, TABLE)
    assert db.tables() == []


def test_a_reader_that_fails_leaves_nothing(db: gpudb.Database) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield TABLE.to_batches()[0]
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        db.create_table("t", pa.RecordBatchReader.from_batches(TABLE.schema, batches()))
    assert db.tables() == []
    assert list((db.folder / "tables").iterdir()) == []


def test_links_must_be_parquet_of_the_same_columns(db: gpudb.Database, tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "a.parquet")
    pq.write_table(TABLE.select(["id"]), tmp_path / "b.parquet")
    both = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for paths, message in [
        (both, "the same columns, found"),
        ([], "one or more Parquet files"),
        ([tmp_path / "c.parquet"], "no such file"),
    ]:
        with pytest.raises(InputError, match=message):
            db.link_table("t", paths)
    with pytest.raises(InputError, match="different columns"):
        db.create_table("t", both)
    assert db.tables() == []


def test_a_table_can_replace_itself(db: gpudb.Database) -> None:
    db.create_table("t", TABLE)
    db.create_table("T", db.sql("SELECT id FROM t WHERE id > 1"), replace=True)
    assert db.sql("FROM t").fetchall() == [(2,), (3,)]
    assert db.tables() == ["T"]
    assert len(list((db.folder / "tables").iterdir())) == 1


def test_columns_that_differ_in_case_only_can_be_read(db: gpudb.Database) -> None:
    twice = pa.table([pa.array([1]), pa.array([2])], names=["a", "A"])
    db.create_table("t", twice)
    assert db.sql("FROM t").fetchall() == [(1, 2)]


def test_tables_without_sql() -> None:
    store = TensorStore(None, verify=True)
    tables = UserTables(store)
    tables.create("t", TABLE)
    tables.create("T", TABLE.slice(1), if_not_exists=True)
    tables.insert("t", TABLE.slice(0, 1))
    for wrong in (TABLE.select(["id"]), TABLE.rename_columns(["x", "y", "z"])):
        with pytest.raises(InputError, match="has the columns id int64, text string, x double"):
            tables.insert("t", wrong)
    assert tables.schema("T").equals(TABLE.schema)
    files = list((store.folder / "tables").iterdir())
    assert sum(pq.read_metadata(file).num_rows for file in files) == 4
    tables.drop("missing", if_exists=True)
    tables.drop("T")
    with pytest.raises(CatalogError, match="no table 't'"):
        tables.drop("t")
    assert list((store.folder / "tables").iterdir()) == []
    store.close()


def test_readers_are_lazy() -> None:
    reader = as_reader(TABLE)
    assert isinstance(reader, pa.RecordBatchReader)
    assert reader.schema.equals(TABLE.schema)
