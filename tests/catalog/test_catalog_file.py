"""Open, migrate, transact."""

from __future__ import annotations

import importlib.util
import sqlite3
import threading
from contextlib import closing

import pytest

from gpudb import catalog as package
from gpudb.catalog import Catalog, StoredHead, listing
from gpudb.catalog.heads import add_head, heads
from gpudb.catalog.migrate import APPLICATION_ID, migrate, scripts, statements
from gpudb.catalog.models import drop_version, versions
from gpudb.errors import CatalogError
from tests.children import ROOT, run, start


@pytest.fixture
def path(tmp_path):
    return tmp_path / "catalog.sqlite"


def _sqlite(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return [connection.execute(s).fetchall() for s in statements]


def _names(catalog):
    return [name for (name,) in catalog.rows("SELECT name FROM model ORDER BY name")]


def _add(catalog, name):
    catalog.run("INSERT INTO model (name) VALUES (?)", (name,))


def test_new_file_is_marked_and_kept_safe(path):
    with Catalog(path) as catalog:
        pragmas = {
            name: catalog.rows(f"PRAGMA {name}")[0][0]
            for name in ("application_id", "user_version", "journal_mode", "foreign_keys")
        }
        assert pragmas == {
            "application_id": APPLICATION_ID,
            "user_version": len(scripts()),
            "journal_mode": "wal",
            "foreign_keys": 1,
        }
        assert catalog.rows("PRAGMA synchronous") == [(2,)]
        assert catalog.rows("PRAGMA busy_timeout") == [(30000,)]


def test_every_table_is_strict(path):
    with Catalog(path) as catalog:
        tables = catalog.rows("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'")
    strict = {name for name, strict in tables if strict}
    assert {name for name, _ in tables if not name.startswith("sqlite_")} == strict
    assert "stored_block" in strict


def test_reopening_keeps_the_content(path):
    with Catalog(path) as catalog:
        _add(catalog, "minilm")
    with Catalog(path) as catalog:
        assert _names(catalog) == ["minilm"]


def test_empty_file_becomes_a_catalog(path):
    path.touch()
    with Catalog(path) as catalog:
        assert _names(catalog) == []


def test_path_with_odd_characters(tmp_path):
    folder = tmp_path / "a b?c#d%20é"
    folder.mkdir()
    with Catalog(folder / "catalog.sqlite") as catalog:
        _add(catalog, "minilm")
    assert (folder / "catalog.sqlite").exists()


@pytest.mark.parametrize("content", [b"not a database, but long enough to be read as one" * 40])
def test_other_files_are_refused_and_left_alone(path, content):
    path.write_bytes(content)
    with pytest.raises(CatalogError, match="is not a SQLite file"):
        Catalog(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE t (x)", "PRAGMA application_id = 7", "PRAGMA user_version = 3"]
)
def test_databases_of_other_programs_are_refused_and_left_alone(path, statement):
    _sqlite(path, statement)
    content = path.read_bytes()
    with pytest.raises(CatalogError, match="SQLite database of another program"):
        Catalog(path)
    assert path.read_bytes() == content


def test_newer_catalog_is_refused(path):
    Catalog(path).close()
    known = len(scripts())
    _sqlite(path, f"PRAGMA user_version = {known + 1}")
    with pytest.raises(
        CatalogError, match=f"catalog version {known + 1}.*up to {known}: upgrade gpudb"
    ):
        Catalog(path)


def test_damaged_catalog_is_one_error(path):
    with Catalog(path) as catalog:
        for number in range(2000):
            _add(catalog, f"model {number}")
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(CatalogError, match=r"damaged.*backup"), Catalog(path) as catalog:
        _names(catalog)


def test_failing_migration_leaves_the_old_version(path):
    with Catalog(path) as catalog:
        _add(catalog, "minilm")
    broken = (
        "CREATE TABLE extra (x);\nINSERT INTO extra VALUES (1);\nINSERT INTO nowhere VALUES (1);\n"
    )
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="nowhere"):
            migrate(connection, [*scripts(), broken])
        assert not connection.in_transaction
    version, tables = _sqlite(path, "PRAGMA user_version", "SELECT name FROM sqlite_master")
    assert version == [(len(scripts()),)]
    assert ("extra",) not in tables
    with Catalog(path) as catalog:
        assert _names(catalog) == ["minilm"]


def test_migrations_run_in_order_and_once(path):
    steps = ["CREATE TABLE a (x);", "INSERT INTO a VALUES (1);", "UPDATE a SET x = x + 10;"]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, steps[:2])
        migrate(connection, steps)
        migrate(connection, steps)
        assert connection.execute("SELECT x FROM a").fetchall() == [(11,)]
        assert connection.execute("PRAGMA user_version").fetchall() == [(3,)]


def test_statements_are_split_at_their_ends():
    script = "-- a; b\nCREATE TABLE t (x); -- c\nINSERT INTO t\nVALUES ('; no end');\n\n-- last"
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in statements(script):
            connection.execute(statement)
        assert connection.execute("SELECT x FROM t").fetchall() == [("; no end",)]


def test_older_catalog_is_not_upgraded_read_only(path):
    Catalog(path).close()
    _sqlite(path, "PRAGMA user_version = 0")
    with pytest.raises(CatalogError, match="once without read_only to upgrade"):
        Catalog(path, read_only=True)


def test_read_only_reads_and_refuses_to_write(path):
    with Catalog(path) as catalog:
        _add(catalog, "minilm")
        with Catalog(path, read_only=True) as reader:
            assert _names(reader) == ["minilm"]
            _add(catalog, "e5")
            assert _names(reader) == ["e5", "minilm"]
            with pytest.raises(CatalogError, match="open read-only"), reader.transaction():
                _add(reader, "bge")
        assert _names(catalog) == ["e5", "minilm"]


def test_read_only_needs_a_file(path):
    with pytest.raises(CatalogError, match="cannot be opened"):
        Catalog(path, read_only=True)
    assert not path.exists()


def test_closed_catalog_is_one_error(path):
    catalog = Catalog(path)
    catalog.close()
    with pytest.raises(CatalogError, match="is closed"):
        _names(catalog)


def test_bad_statement_is_one_error(path):
    with Catalog(path) as catalog, pytest.raises(CatalogError, match="refused a statement"):
        catalog.rows("SELECT nothing FROM nowhere")


def _fail_after(catalog, error, *names):
    with catalog.transaction():
        for name in names:
            with catalog.transaction():
                _add(catalog, name)
        assert catalog.in_transaction
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_transaction_is_undone_by_any_exception(path, error):
    with Catalog(path) as catalog:
        with pytest.raises(error):
            _fail_after(catalog, error, "a", "b")
        assert not catalog.in_transaction
        assert _names(catalog) == []
        with catalog.transaction():
            _add(catalog, "c")
    with Catalog(path) as catalog:
        assert _names(catalog) == ["c"]


def test_inner_transaction_is_undone_alone(path):
    with Catalog(path) as catalog, catalog.transaction():
        _add(catalog, "a")
        with pytest.raises(ValueError, match="x"):
            _fail_after(catalog, ValueError("x"), "b", "c")
        with catalog.transaction():
            _add(catalog, "d")
        assert catalog.in_transaction
    with Catalog(path) as catalog:
        assert _names(catalog) == ["a", "d"]


def test_threads_take_turns(path):
    with Catalog(path) as catalog:

        def work(number):
            for step in range(5):
                with catalog.transaction():
                    before = len(_names(catalog))
                    _add(catalog, f"{number}.{step}")
                    assert len(_names(catalog)) == before + 1

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(_names(catalog)) == 20


def test_waiting_for_another_writer_ends_in_one_error(path):
    with (
        Catalog(path) as first,
        Catalog(path, busy_seconds=0.05) as second,
        first.transaction(),
        pytest.raises(CatalogError, match=r"another process has been writing for 0\.05 s"),
        second.transaction(),
    ):
        _add(second, "minilm")


def test_change_counter_sees_changes_of_anyone(path):
    with Catalog(path) as one, Catalog(path) as two:
        seen = [one.change_counter()]
        assert one.change_counter() == seen[0]
        _add(one, "a")
        seen.append(one.change_counter())
        _add(two, "b")
        seen.append(one.change_counter())
        two.run("DELETE FROM model")
        seen.append(one.change_counter())
        assert len(set(seen)) == 4
        assert one.change_counter() == seen[-1]


def test_many_processes_may_create_one_catalog(path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom gpudb.catalog import Catalog\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "for number in range(20):\n"  # one by itself rarely meets another
        "    with Catalog(Path(f'{sys.argv[1]}-{number}')) as c:\n"
        "        c.run('INSERT INTO model (name) VALUES (?)', (sys.argv[2],))\n"
    )
    children = [start(code, path, name) for name in "abcdef"]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        _, err = child.communicate(timeout=60)
        assert child.returncode == 0, err
    for number in range(20):
        with Catalog(path.with_name(f"{path.name}-{number}")) as catalog:
            assert _names(catalog) == list("abcdef")


def test_a_killed_writer_leaves_the_old_state(path):
    with Catalog(path) as catalog:
        _add(catalog, "old")
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom gpudb.catalog import Catalog\n"
        "c = Catalog(Path(sys.argv[1]))\n"
        "with c.transaction():\n"
        "    c.run(\"INSERT INTO model (name) VALUES ('new')\")\n"
        "    os._exit(0)\n"
    )
    run(code, path)
    with Catalog(path) as catalog:
        assert _names(catalog) == ["old"]


def test_import_under_another_name_is_refused():
    spec = importlib.util.spec_from_file_location("catalog", ROOT / "catalog" / "__init__.py")
    assert package.__name__ == "gpudb.catalog"
    with pytest.raises(ImportError, match=r"imported as gpudb\.catalog, not as catalog"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def test_old_sqlite_is_refused(path, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 26, 0))
    with pytest.raises(CatalogError, match=r"needs 3\.37\.0 or newer"):
        Catalog(path)
    assert not path.exists()


def test_a_catalog_from_before_heads_keeps_its_models_and_takes_heads(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, scripts()[:2])
        connection.execute("INSERT INTO model (name, last_number) VALUES ('m', 1)")
        connection.execute(
            "INSERT INTO version VALUES (7, 1, 1, 'bert', '{}', '[]', '{}', NULL, 'float32', 'x', "
            "'2025-01-01T00:00:00+00:00', 0, 0)"
        )
    with Catalog(path) as catalog:
        (old,) = versions(catalog)
        assert (old.id, old.label) == (7, "m@1")
        assert heads(catalog, 7) == {}
        tags = StoredHead("tag", "[1]", ("O", "B-ä"), {"mask": ""})
        words = StoredHead("fill_mask", "[2]", (), {})
        for head in (words, tags):
            add_head(catalog, 7, head)
        assert heads(catalog, 7) == {"fill_mask": words, "tag": tags}
        columns, rows = listing(catalog, "heads")
        assert columns == ("model", "version", "kind", "labels")
        assert rows == [("m", 1, "fill_mask", []), ("m", 1, "tag", ["O", "B-ä"])]
        drop_version(catalog, "m")
        assert heads(catalog, 7) == {}
        with pytest.raises(CatalogError):
            add_head(catalog, 7, tags)
