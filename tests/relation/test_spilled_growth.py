"""Tensor expressions larger than memory_limit: NumPy's numbers, and the process keeps the limit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpudb
from gpudb.errors import MemoryBudgetError
from gpudb.store import TensorStore
from tests.memory_growth import can_measure, measure

pytestmark = pytest.mark.skipif(not can_measure(), reason="no /proc/self/clear_refs")

OVERHEAD = 16 << 20
"""What a process takes beside its arrays, see docs/memory.md."""

MB = 1_000_000

CHILD = """
import numpy as np
with gpudb.connect(settings["folder"], device="numpy", memory_limit=settings["limit"]) as db:
    x, w, v, b, small = (db.tensor(name) for name in ("x", "w", "v", "b", "small"))
    (b + b).map("gelu").collect()  # libraries
    np.ones((600, 600), "f") @ np.ones((600, 600), "f")  # buffers of BLAS
    expression = eval(settings["expression"])
    grown, result = growth(expression.collect)
    np.save(settings["result"], result)
    plan = next(reversed(db._engine._prepared.values()))
    placed = plan.placement
    print(json.dumps({"grown": grown, "note": placed.note, "needed": placed.needed_nbytes}))
"""


@pytest.fixture(scope="module")
def arrays() -> dict[str, Any]:
    random = np.random.default_rng(0)
    shapes = {
        "x": (16384, 1024),
        "w": (1024, 256),
        "v": (8192, 1024),
        "b": (256,),
        "small": (64, 8192),
    }
    return {n: random.standard_normal(s, np.float32) / 8 for n, s in shapes.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, Any]) -> Path:
    """A database of one tensor of 67 MB, one of 34 MB, and smaller ones."""
    path = tmp_path_factory.mktemp("limit") / "db"
    with gpudb.connect(path, device="numpy") as db:
        for name, values in arrays.items():
            db.create_tensor(name, values)
    return path


@pytest.mark.parametrize(
    ("mode", "expression", "limit"),
    [
        ("streamed", "x @ w + b", 60 * MB),
        ("spilled", "((x * x + x).map('tanh') - x) @ w", 40 * MB),
    ],
)
def test_a_chain_over_tensors_larger_than_the_limit(
    folder: Path,
    arrays: dict[str, Any],
    tmp_path: Path,
    mode: str,
    expression: str,
    limit: int,
) -> None:
    file = tmp_path / "result.npy"
    found = measure(CHILD, folder=folder, limit=limit, expression=expression, result=file)
    assert found["note"].startswith(f"{mode}: ")
    assert found["needed"] <= limit
    assert found["grown"] <= limit + OVERHEAD
    assert found["needed"] <= 2 * found["grown"]
    exact = {n: a.astype(np.float64) for n, a in arrays.items()}
    x, w, b = exact["x"], exact["w"], exact["b"]
    expected = x @ w + b if mode == "streamed" else (np.tanh(x * x + x) - x) @ w
    # float32 sums of 1024 products of numbers below one.
    np.testing.assert_allclose(np.load(file), expected, atol=2e-5, rtol=0)
    assert not list(folder.glob("tmp*"))


def test_a_factor_four_times_the_limit(
    folder: Path, arrays: dict[str, Any], tmp_path: Path
) -> None:
    """Not even the blocks that one result block needs fit: their products are added up."""
    file, limit = tmp_path / "result.npy", arrays["v"].nbytes // 4
    found = measure(CHILD, folder=folder, limit=limit, expression="small @ v", result=file)
    assert found["needed"] <= limit
    assert found["grown"] <= limit + OVERHEAD
    expected = arrays["small"].astype(np.float64) @ arrays["v"]
    np.testing.assert_allclose(np.load(file), expected, atol=2e-5, rtol=0)


def test_what_cannot_fit_is_refused_before_anything_is_read(
    folder: Path, arrays: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = arrays["x"].nbytes - 1  # the dense result alone is larger
    with gpudb.connect(folder, device="numpy", memory_limit=limit) as db:
        monkeypatch.setattr(TensorStore, "read_copy", None)
        x = db.tensor("x")
        with pytest.raises(MemoryBudgetError, match=rf"needs [\d,]+ .*limit is {limit:,} "):
            (x + x).collect()


STORE = """
with gpudb.connect(settings["folder"], device="numpy", memory_limit=settings["limit"]) as db:
    x, b = db.tensor("x"), db.tensor("b")
    (b + b).store("warm")
    expression = (x * x).map("tanh") - x
    report = str(expression.explain())
    grown, stored = growth(lambda: expression.store("stored"))
    print(json.dumps({"grown": grown, "report": report}))
"""

PAGE = 64 << 20


def test_a_result_larger_than_the_limit_is_stored_block_by_block(
    folder: Path, arrays: dict[str, Any]
) -> None:
    limit = 20 * MB
    found = measure(STORE, folder=folder, limit=limit)
    assert found["grown"] <= limit + OVERHEAD + PAGE
    x = arrays["x"]
    with gpudb.connect(folder, device="numpy") as db:
        stored = db.tensor("stored")
        assert stored.schema.block == db.tensor("x").schema.block
        np.testing.assert_array_equal(stored.collect(), np.tanh(x * x) - x)
        db.drop_tensor("stored")


def test_explain_says_how_and_why(folder: Path) -> None:
    with gpudb.connect(folder, device="numpy", memory_limit=40 * MB) as db:
        x, w = db.tensor("x"), db.tensor("w")
        expression = (x * x).map("tanh") @ w
        planned, run = str(expression.explain()), str(expression.explain(analyze=True))
    for text in (planned, run):
        assert "spilled: " in text
        assert "results in temporary files" in text
        assert "of 40,000,000 bytes" in text
