"""Encoders in float64 NumPy, one sequence after the other: what the engine's numbers must equal.

Written from the formulas, not from the engine: nothing here is vectorised over sequences, fused or
cut into blocks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Weights = Mapping[str, npt.NDArray[Any]]
Config = Mapping[str, Any]

FUNCTIONS = {
    "gelu": lambda v: 0.5 * v * (1 + math.erf(v / math.sqrt(2))),
    "gelu_new": lambda v: 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))),
    "relu": lambda v: max(v, 0.0),
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
    "silu": lambda v: v / (1 + math.exp(-v)),
    "tanh": math.tanh,
}
"""Name in a checkpoint's config -> function of one number."""


def bert(config: Config, weights: Weights, token_ids: Any, type_ids: Any, offsets: Any) -> Array:
    """Hidden states ``(tokens, width)`` of BERT over packed sequences."""
    w = _wide(weights)
    out = [np.zeros((0, config["hidden_size"]))]
    for start, stop in _sequences(offsets):
        words = w["embeddings.word_embeddings.weight"][token_ids[start:stop]]
        types = w["embeddings.token_type_embeddings.weight"][type_ids[start:stop]]
        positions = w["embeddings.position_embeddings.weight"][: stop - start]
        x = _norm(words + types + positions, w, "embeddings.LayerNorm", config["layer_norm_eps"])
        for number in range(config["num_hidden_layers"]):
            x = _bert_layer(config, w, f"encoder.layer.{number}", x)
        out.append(x)
    return np.concatenate(out)


def bert_classifier(weights: Weights, hidden: Array, offsets: Any) -> Array:
    """Logits ``(sequences, labels)`` of BertForSequenceClassification."""
    w = _wide(weights)
    first = pool(hidden, offsets, "cls")
    return _linear(_apply("tanh", _linear(first, w, "pooler.dense")), w, "classifier")


def bert_tagger(weights: Weights, hidden: Array) -> Array:
    """Logits ``(tokens, labels)`` of BertForTokenClassification."""
    return _linear(hidden, _wide(weights), "classifier")


def bert_words(config: Config, weights: Weights, hidden: Array) -> Array:
    """Logits ``(tokens, vocabulary)`` of BertForMaskedLM."""
    w, name = _wide(weights), "cls.predictions"
    x = _apply(config["hidden_act"], _linear(hidden, w, f"{name}.transform.dense"))
    x = _norm(x, w, f"{name}.transform.LayerNorm", config["layer_norm_eps"])
    if f"{name}.decoder.weight" in w:
        return _linear(x, w, f"{name}.decoder")
    return x @ w["embeddings.word_embeddings.weight"].T + w[f"{name}.bias"]


def softmax(logits: Array) -> Array:
    """Of each row."""
    return np.array([np.exp(row - row.max()) / np.exp(row - row.max()).sum() for row in logits])


def transformer_encoder(config: Config, weights: Weights, rows: Any, offsets: Any) -> Array:
    """Rows ``(tokens, width)`` of ``torch.nn.TransformerEncoder`` over packed sequences."""
    w = _wide(weights)
    out = [np.zeros((0, config["d_model"]))]
    for start, stop in _sequences(offsets):
        x = np.asarray(rows[start:stop], np.float64)
        for number in range(config["num_layers"]):
            x = _torch_layer(config, w, f"layers.{number}", x)
        if config["final_norm"]:
            x = _norm(x, w, "norm", config["layer_norm_eps"])
        out.append(x)
    return np.concatenate(out)


def attention(q: Array, k: Array, v: Array, heads: int) -> Array:
    """Softmax(q kᵀ / √d) v for each head of one sequence."""
    d = q.shape[1] // heads
    out = np.zeros(v.shape)
    for head in range(heads):
        part = slice(head * d, (head + 1) * d)
        for row in range(len(q)):
            scores = np.array([q[row, part] @ k[key, part] for key in range(len(k))]) / math.sqrt(d)
            weights = np.exp(scores - scores.max())
            out[row, part] = weights / weights.sum() @ v[:, part]
    return out


def layer_norm(x: Array, gamma: Array, beta: Array, eps: float) -> Array:
    """Each row to mean 0 and variance 1, then scaled and shifted by column."""
    out = np.zeros(x.shape)
    for number, row in enumerate(x):
        mean = row.mean()
        variance = ((row - mean) ** 2).mean()
        out[number] = (row - mean) / math.sqrt(variance + eps) * gamma + beta
    return out


def pool(x: Array, offsets: Any, kind: str) -> Array:
    """One row per sequence; zeros for a sequence without rows."""
    out = np.zeros((len(offsets) - 1, x.shape[1]))
    for number, (start, stop) in enumerate(_sequences(offsets)):
        if start < stop:
            rows = x[start:stop]
            places = np.arange(1, len(rows) + 1)
            out[number] = {
                "mean": rows.mean(0),
                "max": rows.max(0),
                "cls": rows[0],
                "last": rows[-1],
                "root_mean": rows.sum(0) / math.sqrt(len(rows)),
                "rising_mean": np.average(rows, axis=0, weights=places),
            }[kind]
    return out


def normalize(x: Array, eps: float) -> Array:
    """Rows divided by their Euclidean norm, or by ``eps`` if that is larger."""
    out = np.zeros(x.shape)
    for number, row in enumerate(x):
        out[number] = row / max(math.sqrt(math.fsum(row * row)), eps)
    return out


def _bert_layer(config: Config, w: Mapping[str, Array], name: str, x: Array) -> Array:
    eps = config["layer_norm_eps"]
    q, k, v = (_linear(x, w, f"{name}.attention.self.{p}") for p in ("query", "key", "value"))
    context = attention(q, k, v, config["num_attention_heads"])
    attended = _linear(context, w, f"{name}.attention.output.dense")
    x = _norm(attended + x, w, f"{name}.attention.output.LayerNorm", eps)
    wide = _apply(config["hidden_act"], _linear(x, w, f"{name}.intermediate.dense"))
    fed = _linear(wide, w, f"{name}.output.dense")
    return _norm(fed + x, w, f"{name}.output.LayerNorm", eps)


def _torch_layer(config: Config, w: Mapping[str, Array], name: str, x: Array) -> Array:
    eps = config["layer_norm_eps"]

    def attend(x: Array) -> Array:
        merged = x @ w[f"{name}.self_attn.in_proj_weight"].T + w[f"{name}.self_attn.in_proj_bias"]
        q, k, v = np.split(merged, 3, axis=1)
        return _linear(attention(q, k, v, config["nhead"]), w, f"{name}.self_attn.out_proj")

    def feed(x: Array) -> Array:
        wide = _apply(config["activation"], _linear(x, w, f"{name}.linear1"))
        return _linear(wide, w, f"{name}.linear2")

    if config["norm_first"]:
        x = x + attend(_norm(x, w, f"{name}.norm1", eps))
        return x + feed(_norm(x, w, f"{name}.norm2", eps))
    x = _norm(x + attend(x), w, f"{name}.norm1", eps)
    return _norm(x + feed(x), w, f"{name}.norm2", eps)


def _linear(x: Array, w: Mapping[str, Array], name: str) -> Array:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def _norm(x: Array, w: Mapping[str, Array], name: str, eps: float) -> Array:
    return layer_norm(x, w[f"{name}.weight"], w[f"{name}.bias"], eps)


def _apply(name: str, x: Array) -> Array:
    return np.array([FUNCTIONS[name](v) for v in x.flat], np.float64).reshape(x.shape)


def _wide(weights: Weights) -> dict[str, Array]:
    return {name: np.asarray(array, np.float64) for name, array in weights.items()}


def _sequences(offsets: Any) -> Sequence[tuple[int, int]]:
    return list(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True))
