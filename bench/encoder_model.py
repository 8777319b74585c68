"""The encoder of ``bench_encoder.py``: two blocks of random weights, and its answer in float64."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rows import Rows
from safetensors.numpy import save_file

HEADS = 8
LAYERS = 2
_erf = np.vectorize(math.erf, otypes=[np.float64])


@dataclass(frozen=True)
class Shape:
    """One cell: rows ``(batch, length, width)``."""

    width: int
    batch: int
    length: int
    ragged: bool = False
    """Whether lengths go evenly from an eighth of ``length`` to all of it."""

    @property
    def title(self) -> str:
        """Width × batch × length."""
        return f"{self.width}/{self.batch}/{self.length}{' ragged' if self.ragged else ''}"

    @property
    def lengths(self) -> np.ndarray:
        """``(batch,)`` rows of each sequence; the longest is one of ``length``."""
        least = max(1, self.length // 8) if self.ragged else self.length
        return np.linspace(self.length, least, self.batch).round().astype(np.int64)

    @property
    def flops(self) -> float:
        """Operations of the products, without padding."""
        rows = self.lengths.astype(np.float64)
        return float(LAYERS * (rows * (24 * self.width**2 + 4 * rows * self.width)).sum())

    def rows(self) -> Rows:
        """Random inputs."""
        random = np.random.default_rng(1)
        x = random.standard_normal((self.batch, self.length, self.width), np.float32)
        x[~Rows(x, self.lengths).present] = 0
        return Rows(x, self.lengths)


def encoder_folder(parent: Path, width: int) -> Path:
    """Weights under PyTorch's names: a checkpoint for gpudb, ``weights.npz`` for the others."""
    folder = parent / f"encoder-{width}"
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "torch.nn.TransformerEncoder",
        "d_model": width,
        "nhead": HEADS,
        "num_layers": LAYERS,
        "dim_feedforward": 4 * width,
        "activation": "gelu",
        "norm_first": False,
        "layer_norm_eps": 1e-5,
        "final_norm": False,
    }
    weights = _weights(width)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(weights, folder / "model.safetensors")
    np.savez(folder / "weights.npz", **weights)
    return folder


def expected(folder: Path, x: np.ndarray) -> np.ndarray:
    """The encoder in float64, written from its formulas; equally long sequences."""
    with np.load(folder / "weights.npz") as file:
        w = {name: array.astype(np.float64) for name, array in file.items()}
    x = x.astype(np.float64)
    for layer in range(LAYERS):
        x = _block(w, x, f"layers.{layer}")
    return x


def _block(w: dict[str, np.ndarray], x: np.ndarray, name: str) -> np.ndarray:
    batch, length, width = x.shape
    merged = _linear(w, x, f"{name}.self_attn.in_proj_")
    split = merged.reshape(batch, length, 3, HEADS, width // HEADS).transpose(2, 0, 3, 1, 4)
    q, k, v = split
    scores = np.exp(q @ k.swapaxes(2, 3) / math.sqrt(width // HEADS))
    context = (scores / scores.sum(-1, keepdims=True) @ v).swapaxes(1, 2).reshape(x.shape)
    x = _norm(w, x + _linear(w, context, f"{name}.self_attn.out_proj."), f"{name}.norm1.")
    wide = _linear(w, x, f"{name}.linear1.")
    wide = wide / 2 * (1 + _erf(wide / math.sqrt(2)))
    return _norm(w, x + _linear(w, wide, f"{name}.linear2."), f"{name}.norm2.")


def _linear(w: dict[str, np.ndarray], x: np.ndarray, name: str) -> np.ndarray:
    return x @ w[f"{name}weight"].T + w[f"{name}bias"]


def _norm(w: dict[str, np.ndarray], x: np.ndarray, name: str) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return scaled * w[f"{name}weight"] + w[f"{name}bias"]


def _weights(width: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        scale = np.float32(shape[-1] ** -0.5 if len(shape) == 2 else 0.1)
        return random.standard_normal(shape, np.float32) * scale

    weights: dict[str, np.ndarray] = {}
    for layer in (f"layers.{i}" for i in range(LAYERS)):
        weights |= {
            f"{layer}.self_attn.in_proj_weight": normal(3 * width, width),
            f"{layer}.self_attn.in_proj_bias": normal(3 * width),
            f"{layer}.self_attn.out_proj.weight": normal(width, width),
            f"{layer}.self_attn.out_proj.bias": normal(width),
            f"{layer}.linear1.weight": normal(4 * width, width),
            f"{layer}.linear1.bias": normal(4 * width),
            f"{layer}.linear2.weight": normal(width, 4 * width),
            f"{layer}.linear2.bias": normal(width),
        }
        for norm in ("norm1", "norm2"):
            weights |= {f"{layer}.{norm}.weight": 1 + normal(width)}
            weights |= {f"{layer}.{norm}.bias": normal(width)}
    return weights
