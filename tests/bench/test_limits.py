"""What the benchmarks of limits work out from what they measure."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from gpudb.report import StepReport
from tests.bench.test_benches import BENCH, run


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):
    def load(name: str) -> ModuleType:
        monkeypatch.syspath_prepend(BENCH)
        return importlib.import_module(name)

    return load


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_slopes_of_a_power_are_its_exponent(load, power: float) -> None:
    bench = load("bench_scale")
    points = {n: 3e-4 * n**power for n in (1, 3, 10, 1000)}
    assert bench.fitted(points) == pytest.approx(power, abs=1e-9)
    assert bench.slope(points, 3, 1000) == pytest.approx(power, abs=1e-9)


def test_texts_are_distinct_and_have_the_tokens_asked_for(load, tmp_path: Path) -> None:
    import gpudb

    made = load("random_model")
    folder = made.write_model(tmp_path / "m", width=24, layers=1, longest=16)
    texts = made.distinct_texts(4000, 9)
    assert len(set(texts)) == 4000  # more than there are words
    with gpudb.connect(device="numpy", threads=1) as db:
        db.import_model(folder, "m")
        stats = db.embed("m", texts).stats
    assert (stats.distinct_texts, stats.tokens) == (4000, 4000 * 9)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_rounding_explains_right_products_and_no_wrong_ones(load, precision: str) -> None:
    given = load("bench_gemm").factors(33, 40, 17)
    allowed = given.allowed(precision)
    assert allowed.shape == given.product.shape
    right = given.left @ given.right.T
    assert (np.abs(right - given.product) <= allowed).all()
    swapped = right[::-1]
    assert not (np.abs(swapped - given.product) <= allowed).all()


def test_products_are_kept_with_their_peak_and_machine(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    text = run("bench_gemm.py", "--out", str(tmp_path))
    kept = json.loads((tmp_path / "gemm.json").read_text())
    assert {"numpy", "gpudb", "numba", "key"} <= set(kept["machine"])
    assert all(peak > 0 for peak in kept["peak_gflops"].values())
    for runners in kept["seconds"].values():
        assert {"numpy float32", "jit float32"} <= set(runners)
    lines = [line.split() for line in text.splitlines() if " jit float32 " in line]
    assert len(lines) == len(kept["seconds"])


def step(number: int, operator: str, seconds: float) -> StepReport:
    return StepReport(
        number, operator, "", (), (), "tokens×8 float32 in 1 block", "numpy", "", 1, 1,
        flops=100, read_nbytes=10, written_nbytes=10, seconds=seconds, share=0.5,
        ceiling_share=0.5, limited_by="compute",
    )  # fmt: skip


def test_alike_operators_are_one_line_with_the_ratio_of_their_sums(load) -> None:
    bench = load("bench_operators")
    plain = bench.by_kind((step(1, "A", 3.0), step(2, "B", 1.0), step(3, "A", 1.0)))
    own = bench.by_kind((step(1, "A", 1.0), step(2, "B", 1.0), step(3, "A", 1.0)))
    lines = bench.table({"numpy float32": [plain], "jit float32": [own]})
    assert len(lines) == 1 + 2 * 2
    first = lines[2].split()
    assert first[:3] == ["A", "tokens×8", "2"]
    assert first[-1] == "2.00"  # 3 + 1 seconds over 1 + 1
