"""ViT against transformers, from files that transformers wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpudb
from gpudb.models.patches import Patches
from tests.oracles.conftest import Report
from tests.oracles.parity import LARGEST, randomized

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
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    task, changes, dtype = CASES[name]
    config = transformers.ViTConfig(**{**SIZES, **changes})
    model = randomized(getattr(transformers, task)(config), seed=len(name))
    model.to(getattr(torch, dtype)).save_pretrained(tmp_path / "model")
    theirs = getattr(model, "vit", model).float().eval()
    shape = (3, config.num_channels, config.image_size, config.image_size)
    pixels = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    with torch.inference_mode():
        expected = theirs(torch.tensor(pixels)).last_hidden_state.numpy()

    cut = Patches.of(config.to_dict()).cut
    rows = np.concatenate([cut(image) for image in pixels])
    offsets = np.arange(len(pixels) + 1) * expected.shape[1]
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(tmp_path / "model", "m")
        found, _ = db.infer("m", {"rows": rows}, offsets)
    difference = float(np.abs(found - expected.reshape(found.shape)).max())
    report(f"{difference:.2e}")
    assert difference <= LARGEST
