"""Heads of small models, with the CUDA backend over the stand-ins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpudb
from tests.cuda.test_encoder import connected
from tests.tiny_model import write_tiny_head

LARGEST = {"float32": 1e-5, "float16": 3e-2}
"""Of probabilities; logits are of the order of 5."""

TEXTS = ["the cat [MASK]", "[MASK]", "a dog ran on the [MASK]", "the [MASK]"]


def _answers(db: gpudb.Database) -> list[Any]:
    labels = [dict(p) for _, _, p in db.classify("labels", TEXTS)]
    words = [{w["token"]: w["probability"] for w in row} for (row,) in db.fill_mask("words", TEXTS)]
    return [
        np.array([list(p.values()) for p in labels]),
        np.array([sum(row.values()) for row in words]),
        db.score("pairs", TEXTS, TEXTS[::-1]).numpy("score"),
        np.array([sum(s["probability"] for s in row) for (row,) in db.tag("tags", TEXTS)]),
    ]


@pytest.mark.parametrize("precision", LARGEST)
def test_heads(tmp_path: Path, precision: str) -> None:
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        for name, task, outputs in (
            ("labels", "SequenceClassification", 3),
            ("pairs", "SequenceClassification", 1),
            ("tags", "TokenClassification", 4),
            ("words", "MaskedLM", 16),
        ):
            db.import_model(write_tiny_head(tmp_path / name, task, outputs), name)
        expected = _answers(db)
    with connected(tmp_path / "db", precision=precision) as (db, _):
        first, again = _answers(db), _answers(db)  # what is recorded is launched again
    for found, other, known in zip(first, again, expected, strict=True):
        np.testing.assert_array_equal(found, other)
        np.testing.assert_allclose(found, known, atol=LARGEST[precision])
