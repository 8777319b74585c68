"""The ceilings file: found again, and as good as absent when it is damaged or another machine's."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from gpudb import machine
from gpudb.cli.measure import measure
from gpudb.config import cache_folder
from gpudb.errors import StorageError
from gpudb.machine import Ceilings, machine_key, read_ceilings, write_ceilings

GOOD = Ceilings(50.0, 90.0, 10.0, 15.0, 2, "2026-01-01T00:00:00")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "made" / "machine.json"


def test_what_was_written_is_read(path):
    assert read_ceilings(path) == (None, machine.NOT_MEASURED)
    assert write_ceilings(GOOD, path) == path
    assert read_ceilings(path) == (GOOD, "")
    assert [p.name for p in path.parent.iterdir()] == ["machine.json"]


def test_machines_that_share_a_folder_keep_their_own(path, monkeypatch):
    write_ceilings(GOOD, path)
    monkeypatch.setattr(machine, "machine_key", lambda: "another; 64 threads")
    found, note = read_ceilings(path)
    assert found is None
    assert "another machine or library" in note
    assert "gpudb doctor --measure" in note
    write_ceilings(Ceilings(1.0, 2.0, 3.0, 4.0, 64, "x"), path)
    monkeypatch.undo()
    assert read_ceilings(path)[0] == GOOD
    assert len(json.loads(path.read_text())["machines"]) == 2


@pytest.mark.parametrize(
    "values",
    [
        {"gflops_one": 0}, {"gflops_one": -1.0}, {"gbytes_all": math.nan}, {"threads": True},
        {"gbytes_one": math.inf}, {"gflops_all": "fast"}, {"more": 1}, None,
    ],
    ids=str,
)  # fmt: skip
def test_damaged_numbers_are_ignored_with_a_note(path, values):
    write_ceilings(GOOD, path)
    content = json.loads(path.read_text())
    entry = content["machines"][machine_key()]
    content["machines"][machine_key()] = None if values is None else {**entry, **values}
    path.write_text(json.dumps(content))
    found, note = read_ceilings(path)
    assert found is None
    assert "is ignored" in note
    write_ceilings(GOOD, path)  # measuring again mends it
    assert read_ceilings(path) == (GOOD, "")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe", b'{"version": 2, "machines": {}}', b'{"version": 1}'],
)
def test_a_damaged_file_is_ignored_and_replaced(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    found, note = read_ceilings(path)
    assert (found, "is ignored" in note) == (None, True)
    write_ceilings(GOOD, path)
    assert read_ceilings(path) == (GOOD, "")


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="XDG_CACHE_HOME"):
        write_ceilings(GOOD, tmp_path / "file" / "machine.json")


def test_the_cache_folder(tmp_path):
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "gpudb"
    for unset in ({}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "relative"}):
        assert cache_folder(unset) == Path.home() / ".cache" / "gpudb"


@pytest.mark.parametrize("threads", [1, 2])
def test_measuring_gives_ceilings_that_can_be_kept(path, threads):
    found = measure(shapes=[(8, 4, 8), (16, 16, 16)], array_nbytes=4096, repeats=3, threads=threads)
    assert found.gflops_all >= found.gflops_one > 0
    assert found.gbytes_all >= found.gbytes_one > 0
    assert found.threads == threads
    write_ceilings(found, path)
    assert read_ceilings(path) == (found, "")
