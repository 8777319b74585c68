"""What a database folder may be, and what the user reads when it is not one."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest

from gpudb.catalog.tensors import tensor
from gpudb.errors import CatalogError, StorageError
from gpudb.store import TensorStore
from gpudb.types import TensorSchema
from tests.children import run

SCHEMA = TensorSchema("x", (3,), (3,))
VALUES = np.arange(3, dtype=np.float32)


def _open(folder, **options):
    return TensorStore(folder, verify=True, **options)


def _make(folder):
    with _open(folder) as store:
        store.put(SCHEMA, VALUES)


def test_new_and_empty_folders_become_databases(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty", "ünïcode ?#"):
        _make(tmp_path / name)
        with _open(tmp_path / name) as store:
            np.testing.assert_array_equal(store.dense(tensor(store.catalog, "x")), VALUES)


def test_relative_paths_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _make(Path("db"))
    assert (tmp_path / "db" / "catalog.sqlite").exists()


def test_temporary_folder_is_removed():
    with _open(None) as store:
        store.put(SCHEMA, VALUES)
        folder = store.folder
        assert folder.is_dir()
    assert not folder.exists()


def test_read_only_reads(tmp_path):
    _make(tmp_path / "db")
    before = sorted(tmp_path.rglob("*"))
    with _open(tmp_path / "db", read_only=True) as store:
        np.testing.assert_array_equal(store.dense(tensor(store.catalog, "x")), VALUES)
        with pytest.raises(CatalogError, match="open read-only"):
            store.put(TensorSchema("y", (3,), (3,)), VALUES)
        with pytest.raises(CatalogError, match="open read-only"):
            store.vacuum()
    assert [p for p in sorted(tmp_path.rglob("*")) if "sqlite-" not in p.name] == before


def _file(path):
    path.write_text("x")


def _other(path):
    path.mkdir()
    (path / "thesis.docx").write_text("x")


def _no_parent(path):
    assert not path.parent.exists()


def _dangling_link(path):
    path.symlink_to("nowhere/at/all")


@pytest.mark.parametrize(
    ("prepare", "name", "message"),
    [
        (_file, "db", "is a file; a database is a folder"),
        (_other, "db", "is not a gpudb database: it has files but no catalog.sqlite"),
        (_no_parent, "no/db", "cannot be made: .*no is not a folder"),
        (_dangling_link, "db", "cannot be used: File exists"),
        (lambda path: _file(path.parent), "file/db", "cannot be "),
        (lambda path: None, "n" * 300, "cannot be used: File name too long"),
    ],
)
def test_unusable_paths_are_one_error_and_left_alone(tmp_path, prepare, name, message):
    prepare(tmp_path / name)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StorageError, match=message):
        _open(tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("exists", "message"), [(False, "does not exist"), (True, "is empty")])
def test_read_only_makes_nothing(tmp_path, exists, message):
    if exists:
        (tmp_path / "db").mkdir()
    with pytest.raises(StorageError, match=message):
        _open(tmp_path / "db", read_only=True)
    assert list(tmp_path.rglob("*.sqlite")) == []


AS_NOBODY = """
import os, sys
from pathlib import Path
import numpy as np
import pyarrow.ipc
from gpudb.catalog.tensors import tensor
from gpudb.errors import GpudbError
from gpudb.store import TensorStore
from gpudb.types import TensorSchema
if os.geteuid() == 0:
    os.setuid(65534)
folder, read_only, name = Path(sys.argv[1]), sys.argv[2] == "True", sys.argv[3]
try:
    with TensorStore(folder, verify=True, read_only=read_only) as store:
        if name:
            store.put(TensorSchema(name, (3,), (3,)), np.ones(3, np.float32))
        print(store.dense(tensor(store.catalog, "x")).tolist())
except GpudbError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def open_to_all():
    """A folder that any user may enter, with a database in it; pytest's own are private."""
    folder = Path(tempfile.mkdtemp(prefix="gpudb-test-"))
    folder.chmod(0o755)
    _make(folder / "db")
    yield folder / "db"
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder)


def _forbid(path, mode):
    path.chmod(mode)
    if os.geteuid() != 0 and os.access(path, os.W_OK):
        pytest.skip("this file system does not keep permission bits")


def test_folder_that_cannot_be_written_to(open_to_all):
    _forbid(open_to_all, 0o555)
    out = run(AS_NOBODY, open_to_all, False, "")
    assert out.startswith("StorageError")
    assert "cannot be written to: make it writable, or open the database with read_only=True" in out
    assert run(AS_NOBODY, open_to_all, True, "") == "[0.0, 1.0, 2.0]\n"
    assert run(AS_NOBODY, open_to_all, True, "y").startswith("CatalogError")


def test_folder_that_cannot_be_read(open_to_all):
    _forbid(open_to_all, 0o000)
    out = run(AS_NOBODY, open_to_all, True, "")
    assert out.startswith("StorageError")
    assert "cannot be used: Permission denied; check its permissions" in out


def test_folder_that_cannot_be_made(open_to_all):
    _forbid(open_to_all.parent, 0o555)
    out = run(AS_NOBODY, open_to_all.parent / "new", False, "")
    assert out.startswith("StorageError")
    assert "cannot be used: Permission denied" in out


def test_catalog_that_cannot_be_written_to(open_to_all):
    open_to_all.chmod(0o777)
    _forbid(open_to_all / "catalog.sqlite", 0o444)
    out = run(AS_NOBODY, open_to_all, False, "")
    assert out.startswith("CatalogError")
    assert "catalog.sqlite cannot be written to: make it writable" in out


def test_pages_that_cannot_be_written_to(open_to_all):
    open_to_all.chmod(0o777)
    (open_to_all / "catalog.sqlite").chmod(0o666)
    _forbid(open_to_all / "pages", 0o555)
    out = run(AS_NOBODY, open_to_all, False, "y")
    assert out.startswith("StorageError cannot write a page")
    assert "Permission denied" in out
    assert run(AS_NOBODY, open_to_all, False, "") == "[0.0, 1.0, 2.0]\n"
