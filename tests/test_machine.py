"""The ceilings file: found again, and as good as absent when it is damaged or another machine's."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from gpudb import machine
from gpudb.cli.devices import available
from gpudb.cli.measure import measure
from gpudb.config import cache_folder
from gpudb.errors import StorageError
from gpudb.machine import Ceilings, Rates, machine_key, read_ceilings, write_ceilings

GOOD = Ceilings(
    products={"numpy float32": Rates(50.0, 90.0), "jit float32": Rates(45.0, 95.0)},
    moves={1 << 10: Rates(80.0, 160.0), 1 << 20: Rates(40.0, 80.0), 1 << 30: Rates(10.0, 15.0)},
    threads=2,
    measured="2026-01-01T00:00:00",
)


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
    write_ceilings(replace(GOOD, threads=64), path)
    monkeypatch.undo()
    assert read_ceilings(path)[0] == GOOD
    assert len(json.loads(path.read_text())["machines"]) == 2


@pytest.mark.parametrize(
    "values",
    [
        {"products": {"numpy float32": {"one": bad, "all": 1.0}}}
        for bad in (0, -1.0, math.nan, math.inf, "fast", True)
    ]
    + [
        {"moves": {"1024": {"one": 1.0}}}, {"moves": {"large": {"one": 1.0, "all": 1.0}}},
        {"moves": {}}, {"products": {}}, {"products": []}, {"moves": 3}, {"threads": True},
        {"threads": 0}, {"more": 1}, None,
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
    [b"", b"{", b"[]", b"\xff\xfe", b'{"version": 1, "machines": {}}', b'{"version": 2}'],
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
    found = measure(shapes=[(8, 4, 8), (16, 16, 16)], sizes=[0, 4096], repeats=3, threads=threads)
    assert {"numpy float32"} <= set(found.products)
    assert set(found.moves) == {0, 4096}
    for rates in (*found.products.values(), *found.moves.values()):
        assert rates.all >= rates.one > 0
    assert found.threads == threads
    write_ceilings(found, path)
    assert read_ceilings(path) == (found, "")


def test_every_precision_of_compiled_products_is_measured():
    pytest.importorskip("numba")
    found = measure(shapes=[(8, 4, 8)], sizes=[64], repeats=1, threads=1)
    expected = {f"{device} {precision}" for device, precision in available("numpy", "jit")}
    assert set(found.products) == expected
    assert {"numpy float32", "jit float32"} <= expected


@pytest.mark.parametrize(
    ("workers", "threads", "expected"), [(1, 1, 100), (2, 1, 80), (1, 2, 160), (16, 1, 10)]
)
def test_what_one_worker_can_reach(workers, threads, expected):
    assert Rates(100.0, 160.0).per_worker(workers, threads) == expected


def test_compiled_products_have_a_ceiling_of_their_own():
    assert GOOD.multiplying("jit", "float32") == Rates(45.0, 95.0)
    assert GOOD.multiplying("jit", "int8") is None
    assert GOOD.computing("numpy") == Rates(50.0, 90.0)
    assert GOOD.computing("jit") == Rates(50.0, 95.0)  # whichever runs, it is not faster
    assert GOOD.computing("cuda") is None


@pytest.mark.parametrize(
    ("nbytes", "expected"),
    [
        (0, (Rates(80.0, 160.0), True)), (1 << 10, (Rates(80.0, 160.0), True)),
        ((1 << 20) - 1, (Rates(80.0, 160.0), True)), (1 << 20, (Rates(40.0, 80.0), True)),
        ((1 << 30) - 1, (Rates(40.0, 80.0), True)), (1 << 40, (Rates(10.0, 15.0), False)),
    ],
)  # fmt: skip
def test_what_fits_a_cache_moves_at_its_rate(nbytes, expected):
    assert GOOD.moving(nbytes) == expected


def test_a_smaller_size_that_was_measured_slower_does_not_lower_the_ceiling():
    disturbed = replace(GOOD, moves={**GOOD.moves, 1 << 10: Rates(1.0, 200.0)})
    assert disturbed.moving(1 << 10) == (Rates(40.0, 200.0), True)
