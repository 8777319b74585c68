"""Model folders for benchmarks: MiniLM as published or for longer texts, and a random BERT-base."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from gpudb.cli.demo import model_folder
from gpudb.models.architectures import bert

BERT_BASE = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
}


@dataclass(frozen=True)
class Model:
    """A model folder, and what its work is counted from."""

    folder: Path
    max_tokens: int
    width: int
    wide: int
    layers: int

    def flops(self, lengths: np.ndarray) -> float:
        """Floating-point operations of its products over texts of so many tokens, no padding."""
        rows, pairs = float(lengths.sum()), float((lengths.astype(np.float64) ** 2).sum())
        per_row = 2 * (4 * self.width**2 + 2 * self.width * self.wide)
        return self.layers * (rows * per_row + 4 * pairs * self.width)


def minilm(parent: Path, max_tokens: int = 256) -> Model:
    """all-MiniLM-L6-v2, real weights, which cuts texts at so many tokens."""
    source, folder = model_folder(), parent / f"minilm-{max_tokens}"
    _link(source, folder)
    return _described(folder, max_tokens)


def bert_base(parent: Path) -> Model:
    """BERT-base with random weights, and MiniLM's tokenizer: both have BERT's vocabulary."""
    folder = parent / "bert-base"
    _link(model_folder(), folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | BERT_BASE
    _replace(folder / "config.json", json.dumps(config).encode())
    random = np.random.default_rng(0)
    weights = {
        name: _random_weight(random, name, shape) for name, shape in bert.weights(config).items()
    }
    (folder / "model.safetensors").unlink()
    save_file(weights, folder / "model.safetensors")
    return _described(folder, 256)


def _random_weight(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """As BERT is initialised before training."""
    if len(shape) == 1:
        return np.full(shape, float(name.endswith("LayerNorm.weight")), np.float32)
    return random.standard_normal(shape, np.float32) * np.float32(0.02)


def _described(folder: Path, max_tokens: int) -> Model:
    settings = {"max_seq_length": max_tokens, "do_lower_case": False}
    _replace(folder / "sentence_bert_config.json", json.dumps(settings).encode())
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return Model(
        folder,
        max_tokens,
        config["hidden_size"],
        config["intermediate_size"],
        config["num_hidden_layers"],
    )


def _link(source: Path, folder: Path) -> None:
    """The same files, without a copy of the weights."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            target = folder / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.symlink_to(path)


def _replace(path: Path, content: bytes) -> None:
    """Never through a link."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)
