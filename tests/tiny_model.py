"""A BERT small enough for any test: random weights, a handful of words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from gpudb.models.architectures.bert import BERT, weights
from gpudb.types import HostArray

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WORDS = (*SPECIAL, "a", "b", "c", "the", "cat", "sat", "on", "mat", "dog", "ran", "##s")
CONFIG = {
    "model_type": "bert",
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "vocab_size": len(WORDS),
    "max_position_embeddings": 12,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
}

HEAD_CONFIG = {**CONFIG, "vocab_size": len(WORDS) + 1}
"""Of models with a head."""


def tiny_weights(seed: int = 0, **config: Any) -> dict[str, HostArray]:
    """Random weights for CONFIG, changed by ``config``; different seeds differ."""
    rng = np.random.default_rng(seed)
    return {
        name: (rng.standard_normal(shape) / 4).astype(np.float32)
        for name, shape in weights({**CONFIG, **config}).items()
    }


def lively_weights(seed: int = 0, **config: Any) -> dict[str, HostArray]:
    """:func:`tiny_weights` with norms that scale by about 1: hidden states tell texts apart."""
    return {
        name: weight + np.float32(name.endswith("LayerNorm.weight"))
        for name, weight in tiny_weights(seed, **{**HEAD_CONFIG, **config}).items()
    }


def tiny_head_weights(
    task: str, outputs: int, seed: int = 0, **config: Any
) -> dict[str, HostArray]:
    """Random weights of a head, beside :func:`lively_weights`."""
    rng = np.random.default_rng((seed, 1))
    shapes = BERT.heads[task].weights({**HEAD_CONFIG, **config}, outputs)
    return {n: rng.standard_normal(shape).astype(np.float32) for n, shape in shapes.items()}


def write_tiny_head(
    folder: Path, task: str, outputs: int = len(WORDS) + 1, seed: int = 0, **config: Any
) -> Path:
    """Make ``folder`` a folder of ``BertFor<task>`` as transformers writes it.

    The vocabulary is :data:`WORDS` and ``[MASK]``.
    """
    settings = {**HEAD_CONFIG, "architectures": [f"BertFor{task}"], **config}
    folder.mkdir(parents=True, exist_ok=True)
    weights = {f"bert.{n}": w for n, w in lively_weights(seed, **config).items()}
    for name, weight in tiny_head_weights(task, outputs, seed, **config).items():
        weights["bert." * name.startswith("pooler.") + name] = weight
    if task == "MaskedLM":  # there even where the decoder has a bias of its own
        weights.setdefault("cls.predictions.bias", np.zeros(outputs, np.float32))
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "vocab.txt").write_text("\n".join((*WORDS, "[MASK]")) + "\n")
    return folder


def write_tiny_model(folder: Path, seed: int = 0, **config: Any) -> Path:
    """Make ``folder`` a model folder in sentence-transformers' form; different seeds differ.

    ``config`` changes :data:`CONFIG`; words are made up for a larger vocabulary.
    """
    settings = {**CONFIG, **config}
    words = [*WORDS, *(f"w{number}" for number in range(len(WORDS), settings["vocab_size"]))]
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tiny_weights(seed, **config), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    modules = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_N", "Normalize")]
    listed = [
        {"idx": int(i), "name": i, "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, path, kind in modules
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    return folder
