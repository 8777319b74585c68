"""The encoders of BART, PLBART and mBART; weights of their decoders are ignored.

Lewis et al., "BART: Denoising Sequence-to-Sequence Pre-training", 2019; Liu et al., "Multilingual
Denoising Pre-training for Neural Machine Translation", 2020 (mBART: the norm before each branch).
"""

from __future__ import annotations

import re
from math import sqrt

from gpudb.models.architecture import (
    Architecture,
    Config,
    ScanWeight,
    activation,
    dropout_rate,
    flag,
    head_count,
    layer_count,
    token_input,
    whole_number,
)
from gpudb.models.encoder_layers import EncoderLayers, Layer
from gpudb.models.post_norm import PostNormLayer
from gpudb.models.pre_norm import pre_norm_layers
from gpudb.models.steps import norm, norm_shapes
from gpudb.plan.elementwise import ZipScalar
from gpudb.plan.node import Node
from gpudb.plan.reshape import Slice
from gpudb.plan.tensor import Dropout, Gather, Zip

EPS = 1e-5
"""Of every norm; the config does not say it."""
SKIPPED = 2
"""Rows of the table of places before that of the first token."""

_WORDS = "embed_tokens.weight"
_PLACES = "embed_positions.weight"
_UNUSED = re.compile(
    r"(decoder|lm_head|classification_head|qa_outputs)\..*|final_logits_bias|version"
)


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    encoder = _encoder(config)
    tables = {
        _WORDS: (whole_number(config, "vocab_size"), encoder.width),
        _PLACES: (_places(config) + SKIPPED, encoder.width),
    }
    last = norm_shapes("layer_norm", encoder.width) if _norms_first(config) else {}
    return tables | norm_shapes("layernorm_embedding", encoder.width) | encoder.shapes() | last


def rename(name: str) -> str | None:
    """Names within the encoder; its embedding is that of the decoder and may be called shared."""
    name = name.removeprefix("model.").removeprefix("0.auto_model.").removeprefix("encoder.")
    if name == "shared.weight":
        return _WORDS
    return None if _UNUSED.fullmatch(name) else name


def build(config: Config, scan: ScanWeight) -> Node:
    """Embeddings with a norm, then the layers."""
    encoder = _encoder(config)
    words: Node = Gather(scan(_WORDS), token_input("token_ids"))
    if flag(config, "scale_embedding"):
        words = ZipScalar(words, "multiply", sqrt(encoder.width))
    places = Slice(scan(_PLACES), (SKIPPED, 0), (_places(config) + SKIPPED, encoder.width))
    summed = Zip(words, Gather(places, token_input("position_ids")), "add")
    x: Node = Dropout(norm(summed, scan, "layernorm_embedding", EPS), encoder.dropout)
    if not _norms_first(config):
        return encoder.build(x, scan)
    return norm(pre_norm_layers(encoder, x, scan), scan, "layer_norm", EPS)


def _norms_first(config: Config) -> bool:
    return config.get("model_type") == "mbart"


def _places(config: Config) -> int:
    return whole_number(config, "max_position_embeddings")


def _encoder(config: Config) -> EncoderLayers:
    width = whole_number(config, "d_model")
    return EncoderLayers(
        [_layer(f"layers.{i}") for i in range(layer_count(config, "encoder_layers"))],
        width,
        whole_number(config, "encoder_ffn_dim"),
        head_count(config, "encoder_attention_heads", width),
        activation(config, "activation_function"),
        EPS,
        dropout_rate(config, "dropout"),
        dropout_rate(config, "attention_dropout"),
    )


def _layer(name: str) -> Layer:
    return Layer(
        query=f"{name}.self_attn.q_proj",
        key=f"{name}.self_attn.k_proj",
        value=f"{name}.self_attn.v_proj",
        rest=PostNormLayer(
            out=f"{name}.self_attn.out_proj",
            attention_norm=f"{name}.self_attn_layer_norm",
            up=f"{name}.fc1",
            down=f"{name}.fc2",
            norm=f"{name}.final_layer_norm",
        ),
    )


BART = Architecture(
    name="bart",
    model_types=("bart", "mbart", "plbart"),
    reads="tokens",
    weights=weights,
    rename=rename,
    build=build,
    positions=_places,
)
