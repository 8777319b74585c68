"""Encoders of BART, PLBART and mBART against transformers, from files that transformers wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.oracles.conftest import Report
from tests.oracles.parity import compare_hidden, randomized

pytestmark = pytest.mark.oracle

LENGTHS = (1, 2, 7, 8, 9, 1, 24, 17)
SIZES = {
    "vocab_size": 60,
    "d_model": 24,
    "encoder_layers": 2,
    "encoder_attention_heads": 3,
    "encoder_ffn_dim": 33,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 16,
    "max_position_embeddings": max(LENGTHS),
    "init_std": 0.3,
}
CASES: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "a model": ("BartModel", "BartConfig", {}, "float32"),
    "scaled": (
        "BartModel",
        "BartConfig",
        {"scale_embedding": True, "activation_function": "relu"},
        "float32",
    ),
    "with a head": ("BartForConditionalGeneration", "BartConfig", {}, "float16"),
    "that classifies": ("BartForSequenceClassification", "BartConfig", {}, "bfloat16"),
    "PLBART": ("PLBartModel", "PLBartConfig", {}, "float32"),
    "mBART": ("MBartModel", "MBartConfig", {}, "float32"),
    "mBART, scaled": (
        "MBartForConditionalGeneration",
        "MBartConfig",
        {"scale_embedding": True},
        "float16",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_hidden_states_are_those_of_transformers(name: str, tmp_path: Path, report: Report) -> None:
    transformers = pytest.importorskip("transformers")
    task, config, changes, dtype = CASES[name]
    settings = getattr(transformers, config)(**SIZES, **changes)
    model = randomized(getattr(transformers, task)(settings), seed=len(name))
    encoder = model.get_encoder()
    compare_hidden(tmp_path, model, encoder=encoder, lengths=LENGTHS, report=report, dtype=dtype)


def test_an_encoder_by_itself(tmp_path: Path, report: Report) -> None:
    transformers = pytest.importorskip("transformers")
    model = transformers.BartModel(transformers.BartConfig(**SIZES)).get_encoder()
    compare_hidden(tmp_path, randomized(model, seed=5), lengths=LENGTHS, report=report)
