"""ELECTRA: BERT whose embeddings may be narrower than its layers.

Clark et al., "ELECTRA: Pre-training Text Encoders as Discriminators Rather Than Generators", 2020.
"""

from __future__ import annotations

import re

from gpudb.models.architecture import Architecture, Config, ScanWeight, whole_number
from gpudb.models.encoder_layers import (
    EncoderLayers,
    TextEmbeddings,
    bert_layers,
    check_plain,
    encoder_of,
)
from gpudb.models.heads import always, masked_words, sequence_classifier, token_classifier
from gpudb.models.steps import linear_shapes, project
from gpudb.plan.node import Node

_WIDENED = "embeddings_project"

# Buffers that checkpoints carry.
_UNUSED = re.compile(r"embeddings\.(position_ids|token_type_ids)")


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    embeddings, encoder = _parts(config)
    shapes = embeddings.shapes() | encoder.shapes()
    if embeddings.width != encoder.width:
        shapes |= linear_shapes(_WIDENED, encoder.width, embeddings.width)
    return shapes


def rename(name: str) -> str | None:
    """Take the prefix of a task model off."""
    name = name.removeprefix("electra.")
    return None if _UNUSED.fullmatch(name) else name


def build(config: Config, scan: ScanWeight) -> Node:
    """As BERT, with a linear step behind narrower embeddings."""
    check_plain(config)
    embeddings, encoder = _parts(config)
    x = embeddings.build(scan, encoder.eps, encoder.dropout)
    if embeddings.width != encoder.width:
        x = project(x, scan, _WIDENED)
    return encoder.build(x, scan)


def _parts(config: Config) -> tuple[TextEmbeddings, EncoderLayers]:
    embeddings = TextEmbeddings.of(config, whole_number(config, "embedding_size"))
    return embeddings, encoder_of(config, bert_layers(config))


HEADS = {
    "SequenceClassification": sequence_classifier(
        "classifier.dense", "classifier.out_proj", always("gelu")
    ),
    "TokenClassification": token_classifier(),
    "MaskedLM": masked_words(
        "generator_predictions.dense",
        "generator_predictions.LayerNorm",
        "generator_lm_head",
        "generator_lm_head.bias",
        fn=always("gelu"),
        inner="embedding_size",
    ),
}

ELECTRA = Architecture(
    name="electra",
    model_types=("electra",),
    reads="tokens",
    weights=weights,
    rename=rename,
    build=build,
    positions=lambda config: whole_number(config, "max_position_embeddings"),
    heads=HEADS,
    head_names=(
        "discriminator_predictions.",
        "generator_",
        "classifier.",
        "sequence_summary.",
        "qa_outputs.",
    ),
)
