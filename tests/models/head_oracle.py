"""Tiny models with heads, and what they answer, in float64 NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import gpudb
from tests import reference_encoder
from tests.tiny_model import (
    HEAD_CONFIG,
    WORDS,
    lively_weights,
    tiny_head_weights,
)

VOCABULARY = {word: number for number, word in enumerate((*WORDS, "[MASK]"))}
TEXTS = ["the cat sat", "", "a dog ran on the mat", "the cat sat", None, "c"]
LABELS = {"0": "bad", "1": "so so", "2": "good"}


def ids_of(*texts: str) -> list[int]:
    """``[CLS] a [SEP]``, or ``[CLS] a [SEP] b [SEP]``, cut to nothing."""
    ids = [VOCABULARY["[CLS]"]]
    for text in texts:
        ids += [VOCABULARY[word] for word in text.split()] + [VOCABULARY["[SEP]"]]
    return ids


def hidden(ids: Sequence[int], types: Sequence[int] | None = None, **config: Any) -> Any:
    weights = lively_weights(0, **config)
    return reference_encoder.bert(
        {**HEAD_CONFIG, **config},
        weights,
        np.array(ids),
        np.array(types or [0] * len(ids)),
        np.array([0, len(ids)]),
    )


def logits(task: str, outputs: int, *texts: str, types: Sequence[int] | None = None) -> Any:
    ids = ids_of(*texts)
    weights, rows = tiny_head_weights(task, outputs), hidden(ids, types)
    return reference_encoder.bert_classifier(weights, rows, np.array([0, len(ids)]))[0]


def answered(folder: Path, tmp_path: Path, device: str = "numpy") -> gpudb.Database:
    db = gpudb.connect(tmp_path / "db", device=device)
    db.import_model(folder, "m")
    return db
