"""The front door: Python, persistence, interruption, and bad input that changes nothing."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gpudb
from gpudb.errors import (
    CatalogError,
    CheckpointError,
    DeviceError,
    GpudbError,
    InputError,
    MemoryBudgetError,
    SqlError,
    StorageError,
    UnsupportedError,
)
from tests import cudf_objects
from tests.tiny_model import write_tiny_model

TABLE = pa.table({"id": [1, 2, 3], "text": ["the cat", None, "the dog ran"]})


@pytest.fixture
def model(tmp_path):
    return write_tiny_model(tmp_path / "model")


@pytest.fixture
def db(tmp_path):
    with gpudb.connect(tmp_path / "db", device="numpy", threads=2) as database:
        yield database


def state(db: gpudb.Database) -> tuple[object, ...]:
    """Everything a failed call must leave as it was."""
    files = sorted(p.name for p in db.folder.rglob("*.arrow")) + sorted(
        p.name for p in db.folder.rglob("*.parquet")
    )
    listed = [
        db.sql(f"SELECT * FROM gpudb.{name}").fetchall()
        for name in ("versions", "tensors", "tables")
    ]
    return files, listed


@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        TABLE.to_reader(),
        TABLE.to_batches()[0],
        pd.DataFrame({"id": [1, 2, 3], "text": ["the cat", None, "the dog ran"]}),
        pl.DataFrame({"id": [1, 2, 3], "text": ["the cat", None, "the dog ran"]}),
    ],
    ids=["table", "reader", "batch", "pandas", "polars"],
)
def test_a_table_comes_from_whatever_people_have(db, data):
    db.create_table("t", data)
    expected = [(1, "the cat"), (2, None), (3, "the dog ran")]
    assert db.sql("SELECT * FROM t ORDER BY id").fetchall() == expected
    assert db.describe("T").columns == ["column", "type"]


def test_a_table_from_parquet_is_copied_or_linked(db, tmp_path):
    file = tmp_path / "o'brien.parquet"
    pq.write_table(TABLE, file)
    db.create_table("copied", file)
    db.link_table("linked", file)
    both = "SELECT count(*) FROM copied JOIN linked USING (id)"
    assert db.sql(both).fetchone() == (3,)
    db.drop_table("linked")
    assert file.exists()
    file.unlink()
    assert db.sql("SELECT count(*) FROM copied").fetchone() == (3,)


def test_create_insert_replace_and_drop_are_stored(db, tmp_path):
    db.sql("CREATE TABLE t AS SELECT 1 AS a, 'x' AS b")
    db.sql("INSERT INTO t VALUES (2, 'y'); INSERT INTO t (b) SELECT 'z'")
    db.close()
    with gpudb.connect(tmp_path / "db") as again:
        assert again.sql("SELECT * FROM t ORDER BY b").fetchall() == [
            (1, "x"),
            (2, "y"),
            (None, "z"),
        ]
        again.sql("CREATE OR REPLACE TABLE t AS SELECT a + 1 AS a FROM t WHERE a = 1")
        assert again.sql("FROM t").fetchall() == [(2,)]
        again.sql("DROP TABLE t")
        assert again.tables() == []
        assert list((tmp_path / "db" / "tables").iterdir()) == []


def test_nulls_in_nulls_out_and_duplicates_once(db, model):
    db.import_model(model, "tiny")
    result = db.embed("tiny", ["the cat", None, "the cat", "dog"])
    assert result.arrow().column(0).null_count == 1
    vectors = result.numpy("embedding")
    assert np.isnan(vectors[1]).all()
    np.testing.assert_array_equal(vectors[0], vectors[2])
    assert (result.stats.texts, result.stats.distinct_texts) == (4, 2)
    assert result.stats.padded_tokens == 0


@pytest.mark.parametrize("column", [[], [None], [None, None]], ids=str)
def test_columns_without_any_text(db, model, column):
    db.import_model(model, "tiny")
    vectors = db.embed("tiny", column).numpy("embedding")
    assert vectors.shape == (len(column), 24)
    db.create_table("t", pa.table({"text": pa.array(column, pa.string())}))
    assert len(db.sql("SELECT embed('tiny', text) AS e FROM t").numpy("e")) == len(column)


def test_a_result_in_every_form(db):
    result = db.sql("SELECT 1 AS a, [1.5, NULL]::FLOAT[2] AS v UNION ALL SELECT 2, NULL ORDER BY a")
    assert result.columns == ["a", "v"]
    assert result.fetchone() == (1, [1.5, None])
    assert len(result) == result.rows == 2
    assert result.arrow().num_rows == len(result.pandas()) == len(result.polars()) == 2
    assert pa.table(result).equals(result.arrow())
    matrix = result.numpy()["v"]
    np.testing.assert_array_equal(np.isnan(matrix), [[False, True], [True, True]])
    assert "(2 rows)" in repr(result)
    assert "<table>" in result._repr_html_()
    with pytest.raises(InputError, match="no column 'b'; columns are a, v"):
        result.numpy("b")


def test_versions_are_kept_and_equal_blocks_cost_nothing(db, model, tmp_path):
    first = db.import_model(model, "tiny")
    again = db.import_model(model, "tiny")
    assert (first.version, again.version, again.new_nbytes) == (1, 2, 0)
    other = db.import_model(write_tiny_model(tmp_path / "other", seed=1), "tiny")
    assert other.new_nbytes > 0
    newest, oldest = (db.embed(name, ["cat"]).numpy("embedding") for name in ("tiny", "tiny@1"))
    assert np.abs(newest - oldest).max() > 1e-3
    db.drop_model("tiny@3")
    np.testing.assert_array_equal(db.embed("tiny", ["cat"]).numpy("embedding"), oldest)
    assert db.vacuum() > 0
    assert db.verify() == db.sql("SELECT count(*) FROM gpudb.pages").fetchone()[0]
    db.drop_model("tiny")
    assert db.models() == []


def test_infer_gives_rows_per_token(db, model):
    db.import_model(model, "tiny")
    ids = np.array([2, 7, 8, 3, 2, 3])
    hidden, stats = db.infer("tiny", {"token_ids": ids}, [0, 4, 6])
    assert hidden.shape == (6, 24)
    assert stats.tokens == 6
    for inputs, offsets, found in [
        ({"token_ids": [99]}, [0, 1], "token_ids must be integers from 0 to 14.*99"),
        ({"token_ids": [1]}, [0, 2], "offsets end at 2"),
        ({"rows": [[1.0]]}, [0, 1], "needs 'token_ids'"),
        ({"token_ids": [1]}, [1, 0], "offsets"),
    ]:
        with pytest.raises(InputError, match=found):
            db.infer("tiny", {k: np.array(v) for k, v in inputs.items()}, offsets)


def test_plan_text_shows_every_stage(db, model):
    db.import_model(model, "tiny")
    text = db.explain("tiny", stored=True)
    for word in ("as stored", "Dropout", "Softmax", "after the rules", "Attention", "LinearGemm"):
        assert word in text
    assert "Dropout" not in text.partition("after the rules drop_dropout")[2]


def test_an_unknown_name_lists_what_there_is(db, model):
    db.import_model(model, "tiny")
    db.create_table("t", TABLE)
    with pytest.raises(
        CatalogError, match=r"no table, model or tensor 'x'; tables: t; models: tiny"
    ):
        db.describe("x")
    with pytest.raises(CatalogError, match=r"no table 't2'; tables are: t"):
        db.drop_table("t2")
    with pytest.raises(SqlError, match=r"missing(.|\n)*Tables of this database: t"):
        db.sql("SELECT * FROM missing")
    with pytest.raises(CatalogError, match="no model 'x'"):
        db.embed("x", ["a"])


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: gpudb.connect(3), InputError, "path is a int"),
        (lambda: gpudb.connect(device="tpu"), DeviceError, "no device 'tpu'"),
        (lambda: gpudb.connect(device="cuda"), DeviceError, "pip install .gpudb-tensor.cu13"),
        (lambda: gpudb.connect(threads=-1), InputError, "threads is -1"),
        (lambda: gpudb.connect(memory_limit="lots"), InputError, "'4GB'"),
    ],
    ids=["path", "device", "cuda", "threads", "memory"],
)
def test_connect_refuses_what_it_cannot_use(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda db, m: db.embed("tiny", [1, 2]), InputError, "row 0 is int; expected str"),
        (lambda db, m: db.embed("tiny", "cat"), InputError, "expected a column of text"),
        (lambda db, m: db.create_table("t", 3), InputError, "found int for a table"),
        (lambda db, m: db.create_table("t", "no.parquet"), InputError, "no such file"),
        (lambda db, m: db.create_tensor("t", [["a"]]), InputError, "expected at least one axis"),
        (lambda db, m: db.create_tensor("t", ["a"]), InputError, "a: no such file"),
        (lambda db, m: db.create_tensor("t", 1.0), InputError, "at least one axis"),
        (lambda db, m: db.create_tensor("t", [[1], [2, 3]]), InputError, "become an array"),
        (lambda db, m: db.create_tensor("t", cudf_objects.Series(None)), InputError, "become an"),
        (lambda db, m: db.import_model(m / "missing", "x"), CheckpointError, "missing"),
        (lambda db, m: db.import_model(m, "a@b"), InputError, "cannot name a model"),
        (lambda db, m: db.import_model(m, "x", block=(0, 4)), InputError, "block is"),
        (lambda db, m: db.sql("UPDATE t SET a = 1"), UnsupportedError, "CREATE OR REPLACE TABLE"),
        (lambda db, m: db.sql("SELECT embed('tiny', 3)"), SqlError, "expected VARCHAR"),
        (lambda db, m: db.sql("SELEC 1"), SqlError, "syntax error"),
        (lambda db, m: db.sql("SELECT $a"), SqlError, "parameter 'a'"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_error_and_changes_nothing(db, model, call, kind, message):
    db.import_model(model, "tiny")
    before = state(db)
    with pytest.raises(kind, match=message):
        call(db, model)
    assert state(db) == before


def test_an_array_on_a_gpu_needs_one(db, monkeypatch):
    monkeypatch.setattr("gpudb.backend.cuda.probe.obstacle", lambda: "no GPU")
    with pytest.raises(DeviceError, match="not available: no GPU"):
        db.create_tensor("t", cudf_objects.GpuArray())
    assert db.tensors() == []


def test_a_pickle_of_more_than_tensors_is_refused_with_what_to_do(db, tmp_path, model):
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(GpudbError, match=r"(?s)pytorch_model.bin.*'os.system'.*torch.save"):
        db.import_model(model, "x")


def test_a_damaged_page_is_found_and_named(db, model, tmp_path):
    db.import_model(model, "tiny")
    db.close()
    page = next((tmp_path / "db" / "pages").rglob("*.arrow"))
    content = bytearray(page.read_bytes())
    content[len(content) // 2] ^= 1
    page.write_bytes(content)
    with gpudb.connect(tmp_path / "db") as again:
        with pytest.raises(StorageError, match=page.stem):
            again.embed("tiny", ["cat"])
        with pytest.raises(StorageError, match=page.stem):
            again.verify()
        again.import_model(model, "tiny")
        assert again.embed("tiny", ["cat"]).rows == 1


def test_a_folder_that_is_no_database_is_left_alone(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(StorageError, match="not a gpudb database"):
        gpudb.connect(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["precious.txt"]


def test_a_full_disk_stores_nothing(db, model, monkeypatch):
    db.create_table("t", TABLE)
    before = state(db)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    for call in (
        lambda: db.import_model(model, "tiny"),
        lambda: db.create_table("u", TABLE),
        lambda: db.create_table("t", TABLE.slice(1), replace=True),
        lambda: db.sql("INSERT INTO t SELECT * FROM t"),
    ):
        with pytest.raises(StorageError, match="No space left"):
            call()
    monkeypatch.undo()
    assert state(db) == before


def test_a_memory_limit_that_cannot_be_kept_is_refused_with_both_numbers(tmp_path, model):
    with gpudb.connect(tmp_path / "db", memory_limit=10_000, device="numpy") as db:
        db.import_model(model, "tiny")
        with pytest.raises(MemoryBudgetError, match=r"needs [\d,]+ bytes, memory_limit is 10,000"):
            db.embed("tiny", ["cat"])


def test_an_interrupt_leaves_the_database_as_it_was(tmp_path, model):
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(model, "tiny")
        before = state(db)
    child = subprocess.Popen(
        [sys.executable, "-c", _ENDLESS, str(tmp_path / "db")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == "started\n"
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        assert child.stdout.read() == "interrupted\n"
    assert child.wait(timeout=60) == 0
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        assert db.tables() == []
        assert state(db) == before
        assert db.embed("tiny", ["cat"]).rows == 1


_ENDLESS = """
import sys, itertools, gpudb
words = ["a", "b", "c", "cat", "dog", "mat", "ran", "sat", "the"]
texts = [" ".join(t) for t in itertools.product(words, repeat=6)]
with gpudb.connect(sys.argv[1], device="numpy", threads=2) as db:
    db.sql("CREATE TEMP TABLE texts AS SELECT unnest($t) AS t", {"t": texts})
    print("started", flush=True)
    try:
        db.sql("CREATE TABLE v AS SELECT embed('tiny', t) AS e FROM texts")
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""
