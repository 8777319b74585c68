"""Every benchmark runs to its end at its smallest size, and its answers are right."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
SCRIPTS = sorted(path.name for path in (*BENCH.glob("bench_*.py"), BENCH / "seed_table.py"))
NEED_MODEL = ("bench_blocks.py", "bench_embed.py", "bench_operators.py")


def run(script: str, *arguments: str) -> str:
    """What a benchmark prints; it must not fail. Its numbers mean nothing at this size."""
    done = subprocess.run(
        [sys.executable, str(BENCH / script), "--tiny", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "GPUDB_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_are_benchmarks() -> None:
    assert {"bench_execution.py", *NEED_MODEL} <= set(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_benchmark_runs(script: str, request: pytest.FixtureRequest) -> None:
    if script in NEED_MODEL:
        request.getfixturevalue("minilm_folder")
    text = run(script)
    assert "median" in text


def test_predictions_are_called_so_and_stand_beside_what_was_published(
    minilm_folder: Path,
) -> None:
    text = run("predict_gpu.py")
    numbers = [line for line in text.splitlines() if " ms " in line]
    published = [line for line in numbers if line.startswith("published: ")]
    assert len(published) == 2
    assert len(numbers) == 4
    assert text.count("predicted") >= 4
    assert "8 a layer" in text


def test_what_cannot_be_compared_with_is_named(minilm_folder: Path, tmp_path: Path) -> None:
    text = run("bench_embed.py", "--peers", "gpudb numpy,OpenVINO float32", "--out", str(tmp_path))
    saved = json.loads((tmp_path / "embed.json").read_text())
    measured = [line["name"] for line in saved["comparisons"][0]["lines"]]
    left_out = [line for line in text.splitlines() if line.startswith("left out: OpenVINO float32")]
    assert "gpudb numpy float32" in measured
    assert len(left_out) == 1 - ("OpenVINO float32" in measured)
    assert saved["machine"]["versions"]["gpudb"]


def test_the_seed_table_has_equal_and_ragged_batches_and_sizes(tmp_path: Path) -> None:
    run("seed_table.py", "--peers", "gpudb numpy", "--out", str(tmp_path))
    saved = json.loads((tmp_path / "seed.json").read_text())
    assert [c["key"] for c in saved["comparisons"]] == ["32/2/9", "32/3/9 ragged"]
    for comparison in saved["comparisons"]:
        assert [line["name"] for line in comparison["lines"]] == ["gpudb numpy float32"]
    (sizes,) = saved["sizes"].values()
    assert sizes["runtimes"]["gpudb numpy float32"]["files"] > 0
    tunes = {(t["count"], t["changed"]): t for t in sizes["fine_tunes"]}
    # Blocks that a fine-tune does not change are stored once.
    shared, own = tunes[10, "layers.1."], tunes[10, "layers."]
    assert shared["files_nbytes"] == own["files_nbytes"]
    assert shared["database_nbytes"] < own["database_nbytes"]


def test_execution_compares_auto_with_the_better_one(tmp_path: Path) -> None:
    text = run("bench_execution.py", "--out", str(tmp_path))
    summary = text.partition("auto over the better one")[2].strip().splitlines()[1:]
    measured = json.loads((tmp_path / "execution.json").read_text())["seconds"]
    assert len(summary) == len(measured) > 10
    assert all(set(runs) == {"relational", "fused", "auto"} for runs in measured.values())
    assert all(float(line.split()[-1]) > 0 for line in summary)


@pytest.mark.parametrize(
    ("better", "auto", "slow"),
    [(0.010, 0.0109, False), (0.010, 0.0112, True), (0.004, 0.0080, False), (0.010, 0.005, False)],
)
@pytest.mark.parametrize("form", ["relational", "fused"])
def test_execution_check_finds_what_is_slower_than_the_better_one(
    form: str, better: float, auto: float, slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCH)
    bench = importlib.import_module("bench_execution")
    disturbed = [1.0]  # one round in which something else ran does not count
    seconds = {name: [2 * better] * 3 for name in ("relational", "fused")}
    seconds |= {form: [better] * 2 + disturbed, "auto": [auto] * 2 + disturbed}
    assert bench.too_slow({"a case": seconds}) == (["a case"] if slow else [])


def test_what_runs_on_a_gpu_is_listed_and_there() -> None:
    command = [sys.executable, str(BENCH / "on_gpu.py")]
    listed = subprocess.run([*command, "--list"], capture_output=True, text=True, check=True)
    steps = dict(line.split(": ", 1) for line in listed.stdout.splitlines())
    assert {"kernels and backend", "operators", "compute-sanitizer racecheck"} <= set(steps)
    named = [word for line in steps.values() for word in line.split() if word.endswith(".py")]
    assert all((BENCH.parent / name).exists() for name in named)
