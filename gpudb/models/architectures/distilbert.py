"""DistilBERT: BERT without token types, with half of its layers.

Sanh et al., "DistilBERT, a distilled version of BERT: smaller, faster, cheaper and lighter", 2019.
"""

from __future__ import annotations

from gpudb.models.architecture import (
    Architecture,
    Config,
    ScanWeight,
    activation,
    dropout_rate,
    head_count,
    layer_count,
    whole_number,
)
from gpudb.models.encoder_layers import EncoderLayers, Layer, TextEmbeddings
from gpudb.models.heads import always, masked_words, sequence_classifier, token_classifier
from gpudb.models.post_norm import PostNormLayer
from gpudb.plan.node import Node

EPS = 1e-12
"""Of every norm; the config does not say it."""


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    return _embeddings(config).shapes() | _encoder(config).shapes()


def rename(name: str) -> str | None:
    """Take the prefix of a task model off."""
    return name.removeprefix("distilbert.")


def build(config: Config, scan: ScanWeight) -> Node:
    """As BERT, under other names."""
    encoder = _encoder(config)
    x = _embeddings(config).build(scan, EPS, encoder.dropout)
    return encoder.build(x, scan)


def _embeddings(config: Config) -> TextEmbeddings:
    return TextEmbeddings(
        whole_number(config, "vocab_size"),
        whole_number(config, "max_position_embeddings"),
        whole_number(config, "dim"),
    )


def _encoder(config: Config) -> EncoderLayers:
    width = whole_number(config, "dim")
    names = (f"transformer.layer.{i}" for i in range(layer_count(config, "n_layers")))
    return EncoderLayers(
        [_layer(name) for name in names],
        width,
        whole_number(config, "hidden_dim"),
        head_count(config, "n_heads", width),
        activation(config, "activation"),
        EPS,
        dropout_rate(config, "dropout"),
        dropout_rate(config, "attention_dropout"),
    )


def _layer(name: str) -> Layer:
    return Layer(
        query=f"{name}.attention.q_lin",
        key=f"{name}.attention.k_lin",
        value=f"{name}.attention.v_lin",
        rest=PostNormLayer(
            out=f"{name}.attention.out_lin",
            attention_norm=f"{name}.sa_layer_norm",
            up=f"{name}.ffn.lin1",
            down=f"{name}.ffn.lin2",
            norm=f"{name}.output_layer_norm",
        ),
    )


HEADS = {
    "SequenceClassification": sequence_classifier(
        "pre_classifier", "classifier", always("relu"), "dim"
    ),
    "TokenClassification": token_classifier(width="dim"),
    "MaskedLM": masked_words(
        "vocab_transform",
        "vocab_layer_norm",
        "vocab_projector",
        "vocab_projector.bias",
        fn=lambda config: activation(config, "activation"),
        width="dim",
        inner="dim",
    ),
}

DISTILBERT = Architecture(
    name="distilbert",
    model_types=("distilbert",),
    reads="tokens",
    weights=weights,
    rename=rename,
    build=build,
    positions=lambda config: whole_number(config, "max_position_embeddings"),
    heads=HEADS,
    head_names=("vocab_", "pre_classifier.", "classifier.", "qa_outputs."),
)
