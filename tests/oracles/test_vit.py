"""ViT against transformers, from files that transformers wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.oracles.conftest import Report
from tests.oracles.parity import compare_images, randomized

pytestmark = pytest.mark.oracle

SIZES: dict[str, Any] = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 33,
    "image_size": 12,
    "patch_size": 4,
    "initializer_range": 0.3,
}
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "a model": ("ViTModel", {}, "float32"),
    "no bias, one head": ("ViTModel", {"qkv_bias": False, "num_attention_heads": 1}, "float32"),
    "one patch": ("ViTModel", {"image_size": 4}, "float32"),
    "what is left over": ("ViTModel", {"image_size": 11, "num_channels": 1}, "float32"),
    "that classifies": ("ViTForImageClassification", {"hidden_act": "relu"}, "float32"),
    "half": ("ViTModel", {}, "float16"),
    "bfloat16": ("ViTModel", {}, "bfloat16"),
}


@pytest.mark.parametrize("name", CASES)
def test_hidden_states_are_those_of_transformers(name: str, tmp_path: Path, report: Report) -> None:
    transformers = pytest.importorskip("transformers")
    task, changes, dtype = CASES[name]
    config = transformers.ViTConfig(**{**SIZES, **changes})
    model = randomized(getattr(transformers, task)(config), seed=len(name))
    encoder = getattr(model, "vit", model)
    compare_images(tmp_path, model, report=report, encoder=encoder, dtype=dtype)
