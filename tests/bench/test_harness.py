"""What the benchmarks count and compare with is right: texts, batches, rates, turns, answers."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests import reference_encoder

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    monkeypatch.syspath_prepend(BENCH)
    return importlib.import_module


def test_texts_have_the_lengths_asked_for_and_none_comes_twice(
    bench: Callable[[str], ModuleType], minilm_folder: Path
) -> None:
    corpus = bench("corpus")
    lengths = corpus.mixed_lengths(200)
    texts = corpus.cut_texts(minilm_folder, lengths)
    counts = corpus.token_counts(minilm_folder, texts, 512)
    assert len(set(texts)) == 200
    assert (counts <= lengths).all()
    assert counts.mean() == pytest.approx(55, rel=0.1)
    assert max(lengths) <= 256


def test_zipf_draws_the_first_text_most_often(bench: Callable[[str], ModuleType]) -> None:
    rows = bench("corpus").zipf_rows([str(i) for i in range(50)], 2000)
    assert len(rows) == 2000
    assert max(set(rows), key=rows.count) == "0"


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 100])
def test_batches_hold_every_text_once_and_keep_both_limits(
    count: int, bench: Callable[[str], ModuleType]
) -> None:
    batches = bench("peers.batches")
    random = np.random.default_rng(count)
    ids = [[7] * int(n) for n in random.integers(1, 300, count)]
    found = list(batches.sorted_batches(ids, texts=32, tokens=1000))
    assert sorted(row for rows in found for row in rows) == list(range(count))
    for rows in found:
        tokens, mask = batches.padded(ids, rows)
        assert len(rows) <= 32
        assert tokens.size <= 1000
        assert mask.sum(1).tolist() == [len(ids[row]) for row in rows]
        assert (tokens == 7 * mask).all()


def test_mean_vectors_leave_padding_out(bench: Callable[[str], ModuleType]) -> None:
    hidden = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    mask = np.array([[1, 1, 1], [1, 0, 0]])
    vectors = bench("peers.batches").mean_vectors(hidden, mask)
    for row, taken in zip(vectors, (hidden[0], hidden[1, :1]), strict=True):
        mean = taken.mean(0, dtype=np.float64)
        np.testing.assert_allclose(row, mean / np.linalg.norm(mean), atol=1e-6)


def test_the_float64_encoder_is_that_of_the_tests(
    bench: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    model = bench("encoder_model")
    folder = model.encoder_folder(tmp_path, 16)
    x = model.Shape(16, 2, 5).rows().x
    config = json.loads((folder / "config.json").read_text())
    with np.load(folder / "weights.npz") as weights:
        right = reference_encoder.transformer_encoder(
            config, dict(weights), x.reshape(10, 16), np.array([0, 5, 10])
        )
    np.testing.assert_allclose(model.expected(folder, x).reshape(10, 16), right, atol=1e-12)


def test_ragged_rows_are_packed_and_answered_alike(bench: Callable[[str], ModuleType]) -> None:
    rows = bench("encoder_model").Shape(4, 3, 16, ragged=True).rows()
    assert rows.lengths.tolist() == [16, 9, 2]
    assert rows.padded
    assert rows.packed.shape == (27, 4)
    assert not rows.x[1, 9:].any()
    np.testing.assert_array_equal(rows.answered(2 * rows.x), 2 * rows.packed)
    np.testing.assert_array_equal(rows.answered(rows.packed), rows.packed)
    away = bench("rows").scores_away(rows)
    assert away.shape == (3, 1, 1, 16)
    np.testing.assert_array_equal(away[1, 0, 0], [0] * 9 + [-np.inf] * 7)
    assert not bench("encoder_model").Shape(4, 3, 16).rows().padded


def test_operations_are_those_that_the_plan_counts(
    bench: Callable[[str], ModuleType], minilm_folder: Path, tmp_path: Path
) -> None:
    import gpudb

    corpus = bench("corpus")
    model = bench("model_folders").minilm(tmp_path)
    texts = corpus.cut_texts(model.folder, [5, 40, 100])
    with gpudb.connect(device="null") as db:
        db.import_model(model.folder, "minilm")
        counted = db.embed("minilm", texts).stats.flops
    products = model.flops(corpus.token_counts(model.folder, texts, 256))
    assert products < counted < 1.05 * products  # the rest is elementwise


def test_a_disturbed_run_is_repeated_and_the_quiet_one_kept(
    bench: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet, processes = bench("quiet"), bench("processes")
    others = iter([1000.0, 0.0])
    busy = 0.0

    def run() -> object:
        nonlocal busy
        busy += next(others)
        return processes.Timing(seconds=1.0, processor=0.0)

    monkeypatch.setattr(quiet, "_busy_seconds", lambda: busy)
    monkeypatch.setattr(quiet.Quiet, "wait", lambda self: True)
    measured = quiet.Quiet(tries=3).measure(run)
    assert measured.quiet
    assert measured.others == 0
    assert next(others, None) is None


def test_processor_time_is_that_of_all_runs(bench: Callable[[str], ModuleType]) -> None:
    class Answering(bench("processes").Process):
        def __init__(self) -> None: ...

        def _ask(self, do: str, **arguments: object) -> dict[str, float]:
            return {"seconds": 6.0, "processor": 9.0}

    timing = Answering().run("rows", times=3)
    assert (timing.seconds, timing.processor) == (2.0, 9.0)


def test_the_best_peer_is_of_the_same_precision(bench: Callable[[str], ModuleType]) -> None:
    outcome, quiet = bench("outcome"), bench("quiet")

    def line(name: str, precision: str, *seconds: float) -> object:
        runs = [quiet.Measured(s, 0.0, True) for s in seconds]
        return outcome.Line(name, precision, (1.0, 1.0), runs)

    lines = [
        line("gpudb jit int8", "int8", 1.0, 2.0, 4.0),
        line("gpudb jit bfloat16", "bfloat16", 1.0, 1.0, 1.0),
        line("slow", "int8", 3.0, 4.0, 4.0),
        line("exact", "float32", 2.0, 3.0, 3.0),
    ]
    found = outcome.Comparison("a", "a", 1, "texts", 1e9, {}, lines)
    assert found.best_peer("int8").name == "slow"
    assert found.best_peer("bfloat16").name == "exact"
    assert lines[0].times_faster(lines[2]) == 2  # median of 3, 2 and 1


def test_a_peer_that_fails_says_why_and_where(
    bench: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    processes, products = bench("processes"), bench("peers.products")
    peer = products.Products("BLAS")
    with processes.Process(peer, tmp_path) as process:
        process.load(tmp_path, 1)
        with pytest.raises(processes.PeerError, match=r"products, BLAS float32: run: KeyError"):
            process.run("not ready")
        process.ready("shape", [(3, 4, 5)])
        assert process.answer("shape").shape == (3, 5)
        assert process.run("shape", 2).seconds > 0
