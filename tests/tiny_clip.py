"""A small CLIP of random weights, both of its towers in one folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from gpudb.models.architectures import clip_image, clip_text
from gpudb.types import HostArray
from tests.vocabulary_files import clip_folder

WIDTH = 5
"""Of vectors."""
SIZES: dict[str, Any] = {
    "hidden_size": 8,
    "intermediate_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "projection_dim": WIDTH,
}
IMAGES: dict[str, Any] = {**SIZES, "image_size": 6, "patch_size": 3, "num_channels": 3}


def write_clip(folder: Path, **config: Any) -> Path:
    """Config, weights, tokenizer and image processor; ``config`` changes ``config.json``.

    Weights have the shapes of the towers' sizes here, but for the places of images.
    """
    clip_folder(folder)
    words = len(json.loads((folder / "vocab.json").read_text(encoding="utf-8")))
    texts = {**SIZES, "vocab_size": words, "max_position_embeddings": 9}
    images = config.get("vision_config") or IMAGES
    save_file(_weights(texts, {**IMAGES, **images}), folder / "model.safetensors")
    both = {
        "model_type": "clip",
        "projection_dim": WIDTH,
        "text_config": texts,
        "vision_config": images,
    }
    (folder / "config.json").write_text(json.dumps({**both, **config}))
    extent = {**IMAGES, **images}["image_size"]
    processor = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": extent},
        "crop_size": {"height": extent, "width": extent},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 7}))
    return folder


def _weights(texts: dict[str, Any], images: dict[str, Any]) -> dict[str, HostArray]:
    random = np.random.default_rng(5)
    shapes: dict[str, tuple[int, ...]] = {"logit_scale": ()}
    usual = {"hidden_act": "quick_gelu"}
    for tower, module, config in (
        ("text_model", clip_text, texts), ("vision_model", clip_image, images),
    ):  # fmt: skip
        for name, shape in module.weights({**usual, **config}).items():
            shapes[name if "projection" in name else f"{tower}.{name}"] = shape
    return {
        # Of a shape without axes it is a number, not an array.
        name: np.asarray(0.4 * random.standard_normal(shape), np.float32)
        for name, shape in shapes.items()
    }
