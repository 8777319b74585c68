"""``gpudb bench embed``: every device and precision once, numbers that fit each other."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

import gpudb
from gpudb.cli import bench, main, measure, stdlib_docs
from gpudb.cli.devices import available
from tests.tiny_model import write_tiny_model

TEXTS = ["the cat sat on the mat", "a", "dogs ran", "the dog", "the dog", "b c a"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdlib_docs, "standard_library_table", lambda: pa.table({"doc": TEXTS}))
    quick = partial(measure.measure, shapes=[(16, 16, 16)], repeats=1)
    monkeypatch.setattr(measure, "measure", quick)
    monkeypatch.setattr(measure.os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.delenv("GPUDB_DEVICE", raising=False)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "my.gpudb"
    with gpudb.connect(path, device="numpy") as db:
        db.import_model(write_tiny_model(tmp_path / "model"), "tiny")
    return path


def output(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    code = main(["bench", "embed", *map(str, arguments), "--rounds", "2"])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured.out


def test_every_device_and_precision_is_measured_once(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(output(capsys, "-d", database, "--json"))
    results = found["results"]
    assert [(r["device"], r["precision"]) for r in results] == list(available())
    assert (found["model"], found["texts"], found["rounds"]) == ("tiny", len(set(TEXTS)), 2)
    assert {"machine", "versions", "tokens", "threads"} <= set(found)
    for r in results:
        assert len(r["seconds"]) == 2
        median = sum(r["seconds"]) / 2
        assert r["texts_per_second"] == pytest.approx(found["texts"] / median)
        assert r["tokens_per_second"] == pytest.approx(found["tokens"] / median)
        share = r["texts_per_second"] / r["limit_texts_per_second"]
        assert r["limit_share"] == pytest.approx(share)
        assert r["least_cosine"] > (1 - 1e-5 if r["precision"] == "float32" else 0.9)
    assert results[0]["speedup"] == 1
    assert f"{results[0]['device']} {results[0]['precision']}" in found["products_gflops"]


def test_the_limit_follows_from_operations_and_the_rate_of_products(database: Path) -> None:
    with gpudb.connect(database, device="numpy", threads=1) as db:
        rates = gpudb.machine.Rates(1.0, 2.0)
        ceilings = gpudb.machine.Ceilings({"numpy float32": rates}, {1: rates}, 2, "now")
        (speed,), _ = bench.compare({("numpy", "float32"): db}, "tiny", TEXTS[:4], 1, ceilings)
        flops = db.embed("tiny", TEXTS[:4]).stats.flops
    assert speed.limit_texts_per_second == pytest.approx(4 / (flops / 2e9))


def test_the_table_names_device_precision_and_rates(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = output(capsys, "--model", "tiny", "-d", database, "--device", "numpy").splitlines()
    assert lines[0].startswith("tiny: 5 texts, ")
    assert lines[1].split() == [
        "device", "precision", "texts/s", "tokens/s", "of", "limit", "speed-up", "cosine",
    ]  # fmt: skip
    assert lines[2].split()[:2] == ["numpy", "float32"]
    assert len(lines) == 3


@pytest.mark.usefixtures("minilm_folder")
def test_without_a_database_it_is_the_demos_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "--device", "numpy", "--texts", 2).startswith("minilm: 2 texts, ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "null"], "computes nothing"),
        (["--device", "numpy", "--precision", "int8"], "computes in float32"),
        (["--device", "numpy", "--precision", "bf16"], "precision='bfloat16'"),
        (["--precision", "float64"], "computes in precision 'float64'; expected one of float32"),
        (["--device", "abacus"], "no device 'abacus'"),
        (["--model", "other"], "other"),
    ],
)
def test_what_cannot_be_measured_is_one_clear_error(
    database: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["bench", "embed", "-d", str(database), *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_of_several_models_one_has_to_be_named(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with gpudb.connect(database, device="numpy") as db:
        db.import_model(write_tiny_model(tmp_path / "second", 1), "second")
    assert main(["bench", "embed", "-d", str(database), "--device", "numpy"]) == 1
    assert "the database has 2 models (second, tiny)" in capsys.readouterr().err
    assert "second: " in output(capsys, "--model", "second", "-d", database, "--device", "numpy")


def test_a_database_that_is_not_there_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "embed", "-d", str(tmp_path / "none"), "--device", "numpy"]) == 1
    assert "there is no database" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("option", ["--texts", "--rounds"])
def test_nothing_is_not_measured(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "embed", option, "0"]) == 2
    assert "must be at least 1" in capsys.readouterr().err


@pytest.mark.parametrize(("load", "told"), [(0.49, False), (3.0, True), (None, False)])
def test_a_busy_machine_is_told(
    load: float | None, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def average() -> tuple[float, float, float]:
        if load is None:
            raise OSError
        return load, 0.0, 0.0

    monkeypatch.setattr(measure.os, "getloadavg", average)
    assert (f"load average {load}" in measure.busy()) == told
