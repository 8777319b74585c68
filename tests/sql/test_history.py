"""``gpudb.queries``: what is recorded, what is not, and that recording never stands in the way."""

from __future__ import annotations

import os
import sqlite3
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

import gpudb
from gpudb.errors import GpudbError, SqlError
from gpudb.sql import history
from gpudb.sql.history import FILE, Entry, History
from tests.tiny_model import write_tiny_model

NOW = datetime(2026, 1, 1)


@pytest.fixture
def db(tmp_path):
    with gpudb.connect(tmp_path / "db", device="numpy", threads=2) as database:
        yield database


def queries(db, columns="statement, rows, error"):
    return db.sql(f"SELECT {columns} FROM gpudb.queries ORDER BY number").fetchall()


def test_statements_are_recorded_one_by_one_with_what_they_took(db, tmp_path):
    db.import_model(write_tiny_model(tmp_path / "model"), "tiny")
    before = datetime.now(UTC).replace(tzinfo=None)
    db.sql("CREATE TABLE t AS SELECT 'cat' AS x UNION ALL SELECT 'dog'; SELECT * FROM t;")
    db.sql("SELECT embed('tiny', x) FROM t")
    db.sql("EXPLAIN (RELATIONAL, FORMAT JSON) SELECT embed('tiny', x) FROM t")
    assert [(s, r) for s, r, _ in queries(db)] == [
        ("CREATE TABLE t AS SELECT 'cat' AS x UNION ALL SELECT 'dog'", 2),
        ("SELECT * FROM t", 2),
        ("SELECT embed('tiny', x) FROM t", 2),
        ("EXPLAIN (RELATIONAL, FORMAT json) SELECT embed('tiny', x) FROM t", 1),
    ]
    row = db.sql(
        "SELECT device, models, texts, tokens, flops > 0, peak_bytes > 0, seconds, started, error "
        "FROM gpudb.queries WHERE number = 3"
    ).fetchone()
    assert row[:6] == ("numpy", ["tiny@1"], 2, 6, True, True)
    assert row[6] > 0
    assert before <= row[7] <= before + timedelta(minutes=5)
    assert row[8] is None
    assert queries(db, "device, models, tokens")[0] == (None, [], 0)


def test_errors_are_recorded_and_raised(db):
    for text in ("SELEC 1", "SELECT * FROM missing", "UPDATE t SET a = 1"):
        with pytest.raises(GpudbError):
            db.sql(text)
    found = queries(db)
    assert [s for s, _, _ in found] == ["SELEC 1", "SELECT * FROM missing", "UPDATE t SET a = 1"]
    assert [e.partition(":")[0] for _, _, e in found] == [
        "SqlError", "SqlError", "UnsupportedError",
    ]  # fmt: skip
    assert all(rows is None for _, rows, _ in found)


def test_of_several_statements_the_one_that_fails_has_the_error(db):
    with pytest.raises(SqlError):
        db.sql("SELECT 1; SELECT * FROM missing; SELECT 3")
    assert [(s, e is None) for s, _, e in queries(db)] == [
        ("SELECT 1", True),
        ("SELECT * FROM missing", False),
    ]


def test_parameters_are_not_recorded_not_even_in_errors(db):
    secret = "hunter2"
    db.sql("SELECT $p", {"p": secret})
    with pytest.raises(SqlError, match=secret):
        db.sql("SELECT CAST($p AS INTEGER)", {"p": secret})
    assert secret not in str(queries(db, "*"))
    assert queries(db)[1][2].startswith("SqlError (the message is not kept")
    db.close()
    assert secret.encode() not in (db.folder / FILE).read_bytes()


def test_recording_changes_neither_the_catalog_nor_the_plans_that_are_kept(db):
    x = db.create_tensor("x", np.ones((2, 2)))
    x.collect()
    counter = db._store.catalog.change_counter()
    db.sql("SELECT 1")
    assert db._store.catalog.change_counter() == counter
    with sqlite3.connect(db.folder / "catalog.sqlite") as other:
        other.execute("BEGIN IMMEDIATE")  # another process writes to the catalog
        db.sql("SELECT 2")
        other.rollback()
    other.close()
    assert [s for s, _, _ in queries(db)] == ["SELECT 1", "SELECT 2"]


def test_they_are_there_the_next_time(db, tmp_path):
    db.sql("SELECT 1")
    db.close()
    assert [p.name for p in (tmp_path / "db").glob("queries*")] == [FILE]
    with gpudb.connect(tmp_path / "db") as again:
        again.sql("SELECT 2")
        assert queries(again, "number, statement") == [(1, "SELECT 1"), (2, "SELECT 2")]


def test_a_database_in_memory_has_them_too():
    with gpudb.connect() as db:
        db.sql("SELECT 1")
        assert queries(db) == [("SELECT 1", 1, None)]


def test_off_means_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("GPUDB_HISTORY", "0")
    for number, argument in enumerate((False, None)):
        folder = tmp_path / f"db{number}"
        with gpudb.connect(folder, history=argument) as db:
            db.sql("SELECT 1")
            assert queries(db) == []
        assert not (folder / FILE).exists()
    with gpudb.connect(tmp_path / "on", history=True) as db:
        db.sql("SELECT 1")
        assert len(queries(db)) == 1


def test_the_newest_are_kept_and_numbers_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "KEPT", 3)
    with History(tmp_path / FILE) as kept:
        for i in range(7):
            kept.record(Entry(NOW, 0.0, f"SELECT {i}"))
        found = kept.table()
        assert found.column("number").to_pylist() == [5, 6, 7]
        assert found.column("statement").to_pylist() == ["SELECT 4", "SELECT 5", "SELECT 6"]
    with sqlite3.connect(tmp_path / FILE) as file:
        assert file.execute("SELECT count(*) FROM query").fetchone() == (3,)
    file.close()


def test_long_and_odd_texts(tmp_path):
    with History(tmp_path / FILE) as kept:
        for text in ("x" * 20_000, "a\ud800b", "", "שלום \0 é"):
            kept.record(Entry(NOW, 0.0, text))
        assert kept.trouble == ""
        found = kept.table().column("statement").to_pylist()
    assert found == ["x" * history.LONGEST + "…", "a?b", "", "שלום \0 é"]


def test_an_empty_history_has_its_columns(tmp_path):
    with History(tmp_path / FILE) as kept:
        table = kept.table()
    assert table.num_rows == 0
    assert table.schema.field("started").type == pa.timestamp("us")
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize(
    "content", [b"no database at all " * 100, b"SQLite format 3\0" + b"x" * 99]
)
def test_a_damaged_file_is_left_as_it_is_and_memory_serves(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with History(tmp_path / FILE) as kept:
        kept.record(Entry(NOW, 0.0, "SELECT 1"))
        kept.record(Entry(NOW, 0.0, "SELECT 2"))
        assert kept.table().column("number").to_pylist() == [1, 2]
        assert "kept in memory only" in kept.trouble
    assert (tmp_path / FILE).read_bytes() == content


def test_a_file_of_a_newer_version_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / FILE) as file:
        file.execute("PRAGMA user_version = 99")
    file.close()
    with History(tmp_path / FILE) as kept:
        kept.record(Entry(NOW, 0.0, "SELECT 1"))
        assert kept.table().num_rows == 1
        assert "version is 99" in kept.trouble


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_folder_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o555)
    try:
        with History(tmp_path / FILE) as kept:
            kept.record(Entry(NOW, 0.0, "SELECT 1"))
            assert kept.table().num_rows == 1
            assert kept.trouble
    finally:
        tmp_path.chmod(0o755)


def test_a_folder_that_is_gone(tmp_path):
    with History(tmp_path / "gone" / FILE) as kept:
        kept.record(Entry(NOW, 0.0, "SELECT 1"))
        assert kept.table().column("statement").to_pylist() == ["SELECT 1"]
        assert "unable to open" in kept.trouble


def test_a_full_disk_and_a_busy_writer_delay_what_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "BUSY_SECONDS", 0.0)
    with History(tmp_path / FILE) as kept:
        kept.record(Entry(NOW, 0.0, "SELECT 1"))
        assert kept._connection is not None
        pages = kept._connection.execute("PRAGMA page_count").fetchone()[0]
        kept._connection.execute(f"PRAGMA max_page_count = {pages}")
        kept.record(Entry(NOW, 0.0, "x" * 9_999))
        assert "full" in kept.trouble
        assert kept.table().num_rows == 2
        other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        kept.record(Entry(NOW, 0.0, "SELECT 3"))
        assert "locked" in kept.trouble
        assert kept.table().column("number").to_pylist() == [1, 2, 3]
        other.execute("ROLLBACK")
        kept.record(Entry(NOW, 0.0, "SELECT 4"))
        assert kept.trouble == ""
        assert other.execute("SELECT count(*) FROM query").fetchone() == (4,)
        other.close()


def test_a_query_does_not_fail_when_its_record_cannot_be_written(tmp_path):
    with gpudb.connect(tmp_path / "db") as db:
        (db.folder / FILE).mkdir()  # a folder where the file should be
        assert db.sql("SELECT 42 AS a").fetchall() == [(42,)]
        assert queries(db) == [("SELECT 42 AS a", 1, None)]
        assert db.history.trouble
