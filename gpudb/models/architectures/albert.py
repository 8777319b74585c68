"""ALBERT: narrow embeddings, and one set of weights for many layers.

Lan et al., "ALBERT: A Lite BERT for Self-supervised Learning of Language Representations", 2019.
A layer's blocks are stored once, however often the plan reads them.
"""

from __future__ import annotations

import re

from gpudb.errors import CheckpointError
from gpudb.models.architecture import (
    MOST_LAYERS,
    Architecture,
    Config,
    ScanWeight,
    layer_count,
    whole_number,
)
from gpudb.models.encoder_layers import (
    EncoderLayers,
    Layer,
    TextEmbeddings,
    check_plain,
    encoder_of,
)
from gpudb.models.heads import masked_words, sequence_classifier, token_classifier
from gpudb.models.post_norm import PostNormLayer
from gpudb.models.steps import linear_shapes, project
from gpudb.plan.node import Node

_WIDENED = "encoder.embedding_hidden_mapping_in"

# Buffers that checkpoints carry.
_UNUSED = re.compile(r"embeddings\.(position_ids|token_type_ids)")


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    embeddings, encoder = _parts(config)
    widened = linear_shapes(_WIDENED, encoder.width, embeddings.width)
    return embeddings.shapes() | widened | encoder.shapes()


def rename(name: str) -> str | None:
    """Take the prefix of a task model off."""
    name = name.removeprefix("albert.")
    return None if _UNUSED.fullmatch(name) else name


def build(config: Config, scan: ScanWeight) -> Node:
    """Embeddings, widened, then the layers of each group in turn."""
    check_plain(config)
    embeddings, encoder = _parts(config)
    x = project(embeddings.build(scan, encoder.eps, encoder.dropout), scan, _WIDENED)
    return encoder.build(x, scan)


def _parts(config: Config) -> tuple[TextEmbeddings, EncoderLayers]:
    embeddings = TextEmbeddings.of(config, whole_number(config, "embedding_size"))
    return embeddings, encoder_of(config, _layers(config))


def _layers(config: Config) -> list[Layer]:
    """Every layer as often as it runs: all of a group, as many times as its share of the depth."""
    depth, groups = (
        layer_count(config, "num_hidden_layers"),
        layer_count(config, "num_hidden_groups"),
    )
    inner = layer_count(config, "inner_group_num")
    if groups > depth:
        raise CheckpointError(
            f"config.json: num_hidden_groups is {groups}; expected at most num_hidden_layers, "
            f"which is {depth}"
        )
    if depth * inner > MOST_LAYERS:
        raise CheckpointError(
            f"config.json: num_hidden_layers times inner_group_num is {depth * inner:,}; expected "
            f"at most {MOST_LAYERS:,} layers"
        )
    return [_layer(number * groups // depth, i) for number in range(depth) for i in range(inner)]


def _layer(group: int, number: int) -> Layer:
    name = f"encoder.albert_layer_groups.{group}.albert_layers.{number}"
    return Layer(
        query=f"{name}.attention.query",
        key=f"{name}.attention.key",
        value=f"{name}.attention.value",
        rest=PostNormLayer(
            out=f"{name}.attention.dense",
            attention_norm=f"{name}.attention.LayerNorm",
            up=f"{name}.ffn",
            down=f"{name}.ffn_output",
            norm=f"{name}.full_layer_layer_norm",
        ),
    )


HEADS = {
    "SequenceClassification": sequence_classifier("pooler", "classifier"),
    "TokenClassification": token_classifier(),
    "MaskedLM": masked_words(
        "predictions.dense",
        "predictions.LayerNorm",
        "predictions.decoder",
        "predictions.bias",
        inner="embedding_size",
    ),
}

ALBERT = Architecture(
    name="albert",
    model_types=("albert",),
    reads="tokens",
    weights=weights,
    rename=rename,
    build=build,
    positions=lambda config: whole_number(config, "max_position_embeddings"),
    heads=HEADS,
    head_names=("pooler.", "predictions.", "sop_classifier.", "classifier.", "qa_outputs."),
)
