"""Encoders of every architecture, from files to hidden states, over the stand-ins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gpudb
from tests.tiny_clip import write_clip
from tests.tiny_encoders import ENCODERS, batch, write_encoder

PRECISIONS = {"float32": 1e-5, "float16": 2e-2}
"""Largest difference of hidden states, which are of the order of 1."""

BATCHES = ([5, 3], [4, 4], [7, 1], [1])
"""The first three have as many rows and sequences, but not pairs of rows."""


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ENCODERS)
def test_hidden_states_are_those_of_numpy(name: str, precision: str, tmp_path: Path) -> None:
    from tests.cuda.standin.install import standin

    write_encoder(name, tmp_path)
    batches = [batch(name, lengths, seed) for seed, lengths in enumerate(BATCHES)]
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(tmp_path, "m")
        expected = [db.infer("m", *each)[0] for each in batches]
    with standin(), gpudb.connect(tmp_path / "db", device="cuda", precision=precision) as db:
        found = [db.infer("m", *each)[0] for each in batches]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=PRECISIONS[precision])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_projected_vectors_are_those_of_numpy(precision: str, tmp_path: Path) -> None:
    from tests.cuda.standin.install import standin

    texts = ["the", "", "a list of names"]
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(write_clip(tmp_path / "model"), "m", tower="text")
        expected = db.embed("m", texts).numpy("embedding")
    with standin(), gpudb.connect(tmp_path / "db", device="cuda", precision=precision) as db:
        found = db.embed("m", texts).numpy("embedding")
    np.testing.assert_allclose(found, expected, rtol=0, atol=PRECISIONS[precision])
