"""Fused and relational execution of a model give the same vectors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import gpudb
from tests.models.odd_texts import odd_texts
from tests.tiny_model import write_tiny_model

# Six layers in float32, summed in another order, vectors of length one: measured 2e-7.
LARGEST = 2e-6


@pytest.fixture(scope="module")
def db(minilm_folder: Path):
    with gpudb.connect(device="numpy") as database:
        database.import_model(minilm_folder, "minilm")
        yield database


@pytest.mark.parametrize("block", [16, 100, 384])
def test_minilm_runs_relationally(db: gpudb.Database, block: int) -> None:
    texts = [text for text in odd_texts(40) if len(text) < 60]
    db.set(execution="fused")
    fused = db.embed("minilm", texts)
    db.set(execution="relational", block_size=block)
    relational = db.embed("minilm", texts)
    difference = np.abs(fused.numpy("embedding") - relational.numpy("embedding")).max()
    assert difference <= LARGEST
    assert relational.stats.padded_tokens == 0
    names = [type(step.op).__name__ for step in relational.stats.plan.steps]
    assert "SequenceAttention" not in names
    assert "LinearGemm" not in names
    assert names.count("SequenceSoftmaxBlocks") == 6
    pairings = [j.pairing for j in relational.stats.plan.joined if j.pairing is not None]
    assert block > 16 or sum(pairing.pruned for pairing in pairings) > 0


@pytest.mark.parametrize(
    "pooling", ["mean", "cls", "max", "lasttoken", "mean_sqrt_len_tokens", "weightedmean"]
)
def test_every_pooling_runs_relationally(tmp_path: Path, pooling: str) -> None:
    folder = write_tiny_model(tmp_path / "model")
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": pooling}))
    (folder / "modules.json").write_text(
        json.dumps(json.loads((folder / "modules.json").read_text())[:2])  # vectors as they are
    )
    texts = ["the cat sat on the mat", "a", "", "b c a b c a b c", "the dog"]
    with gpudb.connect(device="numpy") as db:
        db.import_model(folder, "m")
        fused = db.embed("m", texts).numpy("embedding")
        db.set(execution="relational", block_size=5)
        relational = db.embed("m", texts).numpy("embedding")
    np.testing.assert_allclose(relational, fused, rtol=1e-5, atol=1e-6)
