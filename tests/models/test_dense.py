"""Linear steps after the pooling: against float64, in every execution, rounded, and damaged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import gpudb
from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.types import HostArray
from tests.tiny_model import write_tiny_model

TEXTS = ["the cat sat on the mat", "a", "", "dogs ran"]
TANH = "torch.nn.modules.activation.Tanh"
IDENTITY = "torch.nn.modules.linear.Identity"
Layer = tuple[HostArray, HostArray | None, str]


def layers() -> list[Layer]:
    """24 -> 40 -> 7, the second without bias and function."""
    random = np.random.default_rng(0)
    first, second = (random.standard_normal(shape) / 4 for shape in ((40, 24), (7, 40)))
    bias = random.standard_normal(40).astype(np.float32)
    return [(first.astype(np.float32), bias, TANH), (second.astype(np.float32), None, IDENTITY)]


def write_dense(folder: Path, steps: list[Layer], unit: bool = True) -> Path:
    """Give a tiny model these steps after its pooling."""
    modules = json.loads((folder / "modules.json").read_text())
    kinds = [*modules[:2]]
    for number, (weight, bias, fn) in enumerate(steps):
        path = f"{number + 2}_Dense"
        kinds.append({"path": path, "type": "sentence_transformers.models.Dense"})
        (folder / path).mkdir(exist_ok=True)
        config = {
            "in_features": weight.shape[1],
            "out_features": weight.shape[0],
            "bias": bias is not None,
            "activation_function": fn,
        }
        (folder / path / "config.json").write_text(json.dumps(config))
        arrays = {"linear.weight": weight} | ({} if bias is None else {"linear.bias": bias})
        save_file(arrays, folder / path / "model.safetensors")
    kinds += modules[2:] if unit else []
    listed = [{**kind, "idx": i, "name": str(i)} for i, kind in enumerate(kinds)]
    (folder / "modules.json").write_text(json.dumps(listed))
    return folder


@pytest.fixture
def db(tmp_path: Path) -> Iterator[gpudb.Database]:
    with gpudb.connect(tmp_path / "db", device="numpy", threads=2) as found:
        yield found


def vectors(db: gpudb.Database, model: str, **options: Any) -> HostArray:
    found: HostArray = db.embed(model, TEXTS, **options).numpy("embedding")
    return found


@pytest.mark.parametrize("unit", [True, False], ids=["unit", "as they are"])
@pytest.mark.parametrize("execution", ["fused", "relational"])
def test_vectors_go_through_the_steps(
    tmp_path: Path, db: gpudb.Database, execution: str, unit: bool
) -> None:
    db.import_model(write_dense(write_tiny_model(tmp_path / "plain"), [], unit=False), "plain")
    db.import_model(write_dense(write_tiny_model(tmp_path / "dense"), layers(), unit), "dense")
    expected = vectors(db, "plain").astype(np.float64)
    for weight, bias, fn in layers():
        expected = expected @ weight.T.astype(np.float64) + (0 if bias is None else bias)
        expected = np.tanh(expected) if fn == TANH else expected
    if unit:
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    db.set(execution=execution, block_size=8)
    found = vectors(db, "dense")
    np.testing.assert_allclose(found, expected, atol=1e-5)
    (row,) = db.sql("SELECT embed('dense', $t) AS e", {"t": TEXTS[0]}).numpy("e")
    np.testing.assert_allclose(row, expected[0], atol=1e-5)
    assert vectors(db, "dense", dimensions=3).shape == (len(TEXTS), 3)
    stored = db.sql("SELECT name FROM gpudb.tensors WHERE name LIKE 'dense.%' AND model = 'dense'")
    assert sorted(n for (n,) in stored.fetchall()) == [
        *("dense.0.linear.bias", "dense.0.linear.weight", "dense.1.linear.weight")
    ]


def test_the_steps_are_rounded_too(tmp_path: Path, db: gpudb.Database) -> None:
    folder = write_dense(write_tiny_model(tmp_path / "model"), layers())
    db.import_model(folder, "exact")
    report = db.import_model(folder, "rounded", dtype="int8")
    cosines = (vectors(db, "exact") * vectors(db, "rounded")).sum(axis=1)
    assert 0.99 < cosines.min() < 1
    assert "dense.1.linear.weight" in report.errors
    assert report.cosines is not None
    assert report.cosines.least > 0.99


def test_the_model_runs_compiled(tmp_path: Path) -> None:
    folder = write_dense(write_tiny_model(tmp_path / "model"), layers())
    found = []
    for device in ("numpy", "jit"):
        with gpudb.connect(tmp_path / device, device=device) as db:
            db.import_model(folder, "m")
            found.append(vectors(db, "m"))
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)


def settings(**changes: Any) -> Any:
    def damage(folder: Path) -> None:
        file = folder / "2_Dense" / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return damage


def whole_numbers(folder: Path) -> None:
    weight = np.zeros((40, 24), np.int32)
    save_file(
        {"linear.weight": weight, "linear.bias": np.zeros(40, np.int32)},
        folder / "2_Dense" / "model.safetensors",
    )


@pytest.mark.parametrize(
    ("damage", "kind", "message"),
    [
        (settings(use_residual=True), UnsupportedError, "use_residual is True"),
        (settings(activation_function="torch.nn.Softplus"), UnsupportedError, "Softplus"),
        (settings(activation_function=None), UnsupportedError, "is None; gpudb computes one of"),
        (settings(in_features=23), CheckpointError, r"expected.*\(40, 23\)"),
        (settings(bias=False), CheckpointError, "as its config.json says"),
        (settings(out_features=0), CheckpointError, "out_features is 0"),
        (whole_numbers, CheckpointError, "'linear.weight': 'int32'"),
    ],
)
def test_steps_that_are_none(
    tmp_path: Path, db: gpudb.Database, damage: Any, kind: type[Exception], message: str
) -> None:
    folder = write_dense(write_tiny_model(tmp_path / "model"), layers())
    damage(folder)
    with pytest.raises(kind, match=message):
        db.import_model(folder, "m")
    assert db.models() == []


def test_steps_that_do_not_follow_each_other(tmp_path: Path, db: gpudb.Database) -> None:
    folder = write_dense(write_tiny_model(tmp_path / "model"), layers()[1:])
    with pytest.raises(CheckpointError, match=r"dense\.0: in_features is 40.*have 24 numbers"):
        db.import_model(folder, "m")
