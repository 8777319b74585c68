"""BERT and the encoders that share its architecture: MiniLM, E5, BGE, GTE-base.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", 2018.
"""

from __future__ import annotations

import re

from gpudb.errors import UnsupportedError
from gpudb.models.architecture import (
    Architecture,
    Config,
    ScanWeight,
    activation,
    dropout_rate,
    feed_forward,
    flag,
    head_count,
    layer_count,
    linear,
    positive_number,
    token_input,
    whole_number,
)
from gpudb.models.attention import self_attention
from gpudb.plan.node import Node
from gpudb.plan.tensor import Dropout, Gather, LayerNorm, Zip

# Buffers and heads that checkpoints carry and an encoder does not use.
_UNUSED = re.compile(r"embeddings\.(position_ids|token_type_ids)|(pooler|cls|classifier)\..*")
_PREFIXES = ("bert.", "model.", "0.auto_model.")
_OLD_NORM_NAMES = {"gamma": "weight", "beta": "bias"}


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    width = whole_number(config, "hidden_size")
    wide = whole_number(config, "intermediate_size")
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (whole_number(config, "vocab_size"), width),
        "embeddings.position_embeddings.weight": (
            whole_number(config, "max_position_embeddings"),
            width,
        ),
        "embeddings.token_type_embeddings.weight": (
            whole_number(config, "type_vocab_size"),
            width,
        ),
        **_norm("embeddings.LayerNorm", width),
    }
    for layer in _layers(config):
        for part in ("query", "key", "value"):
            shapes |= _linear(f"{layer}.attention.self.{part}", width, width)
        shapes |= _linear(f"{layer}.attention.output.dense", width, width)
        shapes |= _norm(f"{layer}.attention.output.LayerNorm", width)
        shapes |= _linear(f"{layer}.intermediate.dense", wide, width)
        shapes |= _linear(f"{layer}.output.dense", width, wide)
        shapes |= _norm(f"{layer}.output.LayerNorm", width)
    return shapes


def rename(name: str) -> str | None:
    """Take the prefix of a task model off; old checkpoints call weight and bias gamma and beta."""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    if _UNUSED.fullmatch(name):
        return None
    stem, _, last = name.rpartition(".")
    if stem.endswith("LayerNorm"):
        last = _OLD_NORM_NAMES.get(last, last)
    return f"{stem}.{last}" if stem else last


def build(config: Config, scan: ScanWeight) -> Node:
    """Embeddings, then layers of attention and feed-forward, each with residual and norm."""
    _check_supported(config)
    eps = positive_number(config, "layer_norm_eps", 1e-12)
    dropout = dropout_rate(config, "hidden_dropout_prob")

    def norm(x: Node, name: str) -> Node:
        return LayerNorm(x, scan(f"{name}.weight"), scan(f"{name}.bias"), eps)

    def project(x: Node, name: str) -> Node:
        return linear(x, scan(f"{name}.weight"), scan(f"{name}.bias"))

    def embedded(table: str, rows: str) -> Node:
        return Gather(scan(f"embeddings.{table}.weight"), token_input(rows))

    words = embedded("word_embeddings", "token_ids")
    types = embedded("token_type_embeddings", "type_ids")
    positions = embedded("position_embeddings", "position_ids")
    summed = Zip(Zip(words, types, "add"), positions, "add")
    x: Node = Dropout(norm(summed, "embeddings.LayerNorm"), dropout)

    heads = head_count(config, "num_attention_heads", whole_number(config, "hidden_size"))
    fn = activation(config, "hidden_act")
    attention_dropout = dropout_rate(config, "attention_probs_dropout_prob")
    for layer in _layers(config):
        query, key, value = (
            project(x, f"{layer}.attention.self.{part}") for part in ("query", "key", "value")
        )
        context = self_attention(query, key, value, heads, attention_dropout)
        attended = Dropout(project(context, f"{layer}.attention.output.dense"), dropout)
        x = norm(Zip(attended, x, "add"), f"{layer}.attention.output.LayerNorm")
        dense = [
            scan(f"{layer}.{part}.dense.{kind}")
            for part in ("intermediate", "output")
            for kind in ("weight", "bias")
        ]
        fed = Dropout(feed_forward(x, dense, fn), dropout)
        x = norm(Zip(fed, x, "add"), f"{layer}.output.LayerNorm")
    return x


def _check_supported(config: Config) -> None:
    kind = config.get("position_embedding_type", "absolute")
    if kind != "absolute":
        raise UnsupportedError(
            f"config.json: position_embedding_type is {kind!r}; gpudb computes 'absolute' only"
        )
    if flag(config, "is_decoder") or flag(config, "add_cross_attention"):
        raise UnsupportedError(
            "config.json describes a decoder (is_decoder or add_cross_attention); "
            "gpudb runs encoders: use an encoder checkpoint"
        )


def _layers(config: Config) -> list[str]:
    return [f"encoder.layer.{i}" for i in range(layer_count(config, "num_hidden_layers"))]


def _linear(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


BERT = Architecture(
    name="bert",
    model_types=("bert",),
    reads="tokens",
    weights=weights,
    rename=rename,
    build=build,
    positions=lambda config: whole_number(config, "max_position_embeddings"),
)
