"""Crashes, full disks, damaged pages, two writers."""

from __future__ import annotations

import errno
import os
import subprocess

import numpy as np
import pytest

from gpudb.catalog.blocks import pages
from gpudb.catalog.tensors import tensor, tensors
from gpudb.errors import StorageError
from gpudb.store import TensorStore
from gpudb.types import TensorSchema
from tests.children import run, start

HEAD = """
import os, sys
from pathlib import Path
import numpy as np
from gpudb.errors import GpudbError
from gpudb.store import TensorStore
from gpudb.types import TensorSchema
def item(seed, size=1000):
    values = np.random.default_rng(seed).random(size, np.float32)
    return TensorSchema(f"t{seed}", (size,), (100,)), values
"""


def _item(seed, size=1000):
    values = np.random.default_rng(seed).random(size, np.float32)
    return TensorSchema(f"t{seed}", (size,), (100,)), values


def _names(store):
    return [t.schema.name for t in tensors(store.catalog)]


def _page_files(store):
    return sorted(store.folder.rglob("*.arrow")) + sorted(store.folder.rglob("*.tmp"))


def _assert_holds(store, *seeds):
    assert _names(store) == [f"t{seed}" for seed in seeds]
    for seed in seeds:
        schema, values = _item(seed)
        found = store.dense(tensor(store.catalog, schema.name))
        np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("moment", ["gpudb.store.pack.add_page", "os.fsync"])
def test_crash_before_the_commit_leaves_the_old_state(tmp_path, moment):
    folder = tmp_path / "db"
    with TensorStore(folder, verify=True) as store:
        store.put(*_item(1))
    code = HEAD + (
        "import gpudb.store.pack\n"
        "store = TensorStore(Path(sys.argv[1]), verify=True)\n"
        f"{moment} = lambda *_: os._exit(9)\n"
        "store.put(*item(2))\n"
    )
    child = start(code, folder)
    assert (child.communicate(timeout=60), child.returncode) == (("", ""), 9)
    with TensorStore(folder, verify=True) as store:
        _assert_holds(store, 1)
        orphans = set(_page_files(store)) - {store.pages.path(p.hash) for p in pages(store.catalog)}
        nbytes = sum(file.stat().st_size for file in orphans)
        assert len(orphans) == (moment != "os.fsync")
        assert store.vacuum() == nbytes
        assert orphans.isdisjoint(_page_files(store))
        _assert_holds(store, 1)
        store.put(*_item(2))
        _assert_holds(store, 1, 2)


def test_second_writer_waits_for_the_first(tmp_path):
    folder = tmp_path / "db"
    code = HEAD + (
        "store = TensorStore(Path(sys.argv[1]), verify=True)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "store.put(*item(2))\n"
        "store.close()\n"
    )
    with TensorStore(folder, verify=True) as store:
        child = start(code, folder)
        assert child.stdout.readline() == "ready\n"
        with store.catalog.transaction():
            child.stdin.write("go\n")
            child.stdin.flush()
            store.put(*_item(1))
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(0.3)
        out, err = child.communicate(timeout=60)
        assert (out, err, child.returncode) == ("", "", 0)
        _assert_holds(store, 1, 2)


def test_full_disk_is_one_error_and_leaves_the_old_state(tmp_path):
    folder = tmp_path / "db"
    with TensorStore(folder, verify=True) as store:
        store.put(*_item(1))
    code = HEAD + (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "store = TensorStore(Path(sys.argv[1]), verify=True)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "try:\n"
        "    store.put(*item(2, 1 << 20))\n"
        "except GpudbError as error:\n"
        "    print(type(error).__name__, error)\n"
        "store.close()\n"
    )
    out = run(code, folder)
    assert out.startswith("StorageError cannot write a page of 4")
    assert "File too large; free some space" in out
    with TensorStore(folder, verify=True) as store:
        _assert_holds(store, 1)
        assert len(_page_files(store)) == 1


def test_no_space_is_one_error_and_leaves_the_old_state(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with TensorStore(tmp_path / "db", verify=True) as store:
        store.put(*_item(1))
        files = _page_files(store)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(StorageError, match="No space left on device; free some space"):
                store.put(*_item(2))
        assert _page_files(store) == files
        store.put(*_item(2))
        _assert_holds(store, 1, 2)


def _flip(path):
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1
    path.write_bytes(data)


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-1000])


def _delete(path):
    path.unlink()


@pytest.mark.parametrize("damage", [_flip, _truncate, _delete])
def test_importing_again_heals_a_damaged_page(tmp_path, damage):
    folder = tmp_path / "db"
    with TensorStore(folder, verify=True) as store:
        store.put_many([_item(1), _item(2)], None)
        (page,) = pages(store.catalog)
    damage(store.pages.path(page.hash))
    with TensorStore(folder, verify=True) as store:
        for name in _names(store):
            with pytest.raises(StorageError, match=f"page {page.hash}.*import the model again"):
                store.dense(tensor(store.catalog, name))
        schema, values = _item(2)
        again = TensorSchema("again", schema.shape, schema.block)
        store.put(again, values)
        np.testing.assert_array_equal(store.dense(tensor(store.catalog, "again")), values)
        np.testing.assert_array_equal(store.dense(tensor(store.catalog, "t2")), values)
        with pytest.raises(StorageError, match=f"page {page.hash}"):
            store.dense(tensor(store.catalog, "t1"))
        copies = [TensorSchema(f"c{n}", schema.shape, schema.block) for n in (1, 2)]
        store.put_many([(copies[0], _item(1)[1]), (copies[1], values)], None)
        store.vacuum()
        for name, seed in [("t1", 1), ("t2", 2), ("again", 2), ("c1", 1), ("c2", 2)]:
            np.testing.assert_array_equal(store.dense(tensor(store.catalog, name)), _item(seed)[1])


def test_importing_all_of_a_page_again_restores_its_file(tmp_path):
    with TensorStore(tmp_path / "db", verify=True) as store:
        store.put_many([_item(1), _item(2)], None)
        (page,) = pages(store.catalog)
        _flip(store.pages.path(page.hash))
        copies = [TensorSchema(f"c{n}", (1000,), (100,)) for n in (1, 2)]
        store.put_many([(copies[0], _item(1)[1]), (copies[1], _item(2)[1])], None)
        assert pages(store.catalog) == [page]
        store.pages.verify(page.hash)
        np.testing.assert_array_equal(store.dense(tensor(store.catalog, "t1")), _item(1)[1])
