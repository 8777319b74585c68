"""Whole encoders through the front door, with the CUDA backend over the stand-ins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpudb

TEXTS = [
    "A tensor is a table of equal blocks.",
    "",
    "one",
    "Grüße, 世界, naïve café 🙂",
    "Keys are joined when a plan is prepared; values move when it runs. " * 3,
]
PRECISIONS = {"float32": 1e-5, "tf32": 2e-3, "float16": 2e-3, "bfloat16": 2e-2}
"""Largest difference of an element of a unit vector: six layers, each rounded to 24, 11, 11 and 8
bits; largest seen 2.3e-7, 1.5e-4, 3.3e-4 and 2.4e-3."""


@pytest.fixture(scope="module")
def folder(minilm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the real model in it."""
    path = tmp_path_factory.mktemp("cuda") / "db"
    with gpudb.connect(path, device="numpy") as db:
        db.import_model(minilm_folder, "minilm")
    return path


@pytest.fixture(scope="module")
def expected(folder: Path) -> Any:
    with gpudb.connect(folder, device="numpy") as db:
        return _vectors(db, TEXTS)


@contextmanager
def connected(folder: Path, **options: Any) -> Iterator[tuple[gpudb.Database, Any]]:
    """A database on the stand-in, and the kernels that it launches."""
    from tests.cuda.standin.engine import Emulator
    from tests.cuda.standin.install import standin

    engine = Emulator()
    limit = "512MB"
    with standin(engine), gpudb.connect(folder, device="cuda", memory_limit=limit, **options) as db:
        yield db, engine


def _vectors(db: gpudb.Database, texts: list[str]) -> Any:
    table = db.sql(
        "SELECT embed('minilm', t) AS v FROM (SELECT unnest($texts) AS t)", {"texts": texts}
    ).arrow()
    return np.array(table["v"].to_pylist())


@pytest.mark.parametrize("precision", PRECISIONS)
def test_minilm(folder: Path, expected: Any, precision: str) -> None:
    with connected(folder, precision=precision) as (db, _):
        found = _vectors(db, TEXTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=PRECISIONS[precision])
    # The result is rounded as well, so its length is not exactly 1. In bfloat16 each activation
    # keeps 8 bits, and the order of sums decides which way it is rounded: 0.99989 with some builds
    # of BLAS in the stand-in, 0.99994 with others.
    cosines = (found * expected).sum(1) / np.linalg.norm(found, axis=1)
    assert cosines.min() > (0.9995 if precision == "bfloat16" else 0.9999)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_minilm_in_int8(minilm_folder: Path, tmp_path: Path, precision: str) -> None:
    """Scales stay float32 where everything else is float16: most would be denormal there."""
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(minilm_folder, "minilm", dtype="int8")
        expected = _vectors(db, TEXTS)
    with connected(tmp_path / "db", precision=precision) as (db, _):
        found = _vectors(db, TEXTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=PRECISIONS[precision])


def test_launches_of_a_layer(folder: Path) -> None:
    """Beside the products, of which there are four: eight launches a layer in all."""
    with connected(folder) as (db, engine):
        _vectors(db, TEXTS[:1])
        once = Counter(name for name, _ in engine.launched)
    layers = 6
    # The first run warms up, the second is recorded, and then it is launched for the first time.
    runs = once["pool"]
    assert once["attention"] == once["bias_activation"] == layers * runs
    assert once["residual_layer_norm"] == 2 * layers * runs
    assert set(once) == {
        *("attention", "bias_activation", "residual_layer_norm", "embedding_layer_norm", "pool")
    }


def test_batches_of_about_the_same_size_are_one_recording(folder: Path) -> None:
    with connected(folder) as (db, engine):
        first = _vectors(db, ["three small words", "and three more"])
        launched = len(engine.launched)
        second = _vectors(db, ["three other words", "and two"])
        again = _vectors(db, ["three small words", "and three more"])
        # Recorded: run once before, and launched. Then launched twice more.
        assert len(engine.launched) - launched == launched
    np.testing.assert_array_equal(first, again)
    with gpudb.connect(folder, device="numpy") as db:
        expected = _vectors(db, ["three other words", "and two"])
    np.testing.assert_allclose(second, expected, rtol=0, atol=1e-5)


def test_explain_analyze_times_operators_one_by_one(folder: Path) -> None:
    with connected(folder) as (db, _):
        plan = db.sql("EXPLAIN ANALYZE SELECT embed('minilm', 'hello')").plan_text
        assert not db.settings.profile
    assert "SequenceAttention" in plan
    assert "cuda" in plan


def test_weights_that_do_not_fit_are_streamed(folder: Path, expected: Any) -> None:
    """Through pinned memory, one group ahead; nothing is recorded then."""
    from tests.cuda.standin.install import standin

    with standin(), gpudb.connect(folder, device="cuda", memory_limit="24MB") as db:
        found = _vectors(db, TEXTS)
        assert "streamed" in db.sql("EXPLAIN ANALYZE SELECT embed('minilm', 'a')").plan_text
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_one_pool_holds_everything(folder: Path) -> None:
    """What the budget says is what RMM may give: CuPy takes nothing beside it."""
    with connected(folder) as (db, _):
        import rmm

        _vectors(db, TEXTS)
        pool = rmm.mr.get_current_device_resource()
        assert type(pool).__name__ == "PoolMemoryResource"
        assert db.memory_limit <= 512_000_000
