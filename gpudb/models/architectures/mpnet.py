"""MPNet: BERT with numbers added to scores by distance, the same in every layer.

Song et al., "MPNet: Masked and Permuted Pre-training for Language Understanding", 2020.
"""

from __future__ import annotations

import re

from gpudb.errors import CheckpointError
from gpudb.models.architecture import (
    Architecture,
    Config,
    ScanWeight,
    layer_count,
    whole_number,
)
from gpudb.models.architectures.roberta import HEAD_NAMES, HEADS
from gpudb.models.attention import self_attention
from gpudb.models.distances import added_by_distance
from gpudb.models.encoder_layers import (
    EncoderLayers,
    Layer,
    TextEmbeddings,
    check_plain,
    encoder_of,
)
from gpudb.models.post_norm import PostNormLayer
from gpudb.plan.node import Node

BUCKETS, LONGEST = 32, 128
"""Whatever ``relative_attention_num_buckets`` says, which is the number of rows of the table: the
encoder of the authors, and of transformers, looks up these."""

FIRST_POSITION = 2
"""Row of the first token: the rows before are for padding."""

_UNUSED = re.compile(r"embeddings\.position_ids")
_DISTANCES = "encoder.relative_attention_bias.weight"


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    buckets = whole_number(config, "relative_attention_num_buckets")
    if buckets < BUCKETS:
        raise CheckpointError(
            f"config.json: relative_attention_num_buckets is {buckets}; MPNet looks up {BUCKETS}"
        )
    embeddings, encoder = _parts(config)
    return {**embeddings.shapes(), **encoder.shapes(), _DISTANCES: (buckets, encoder.heads)}


def rename(name: str) -> str | None:
    """Take the prefix of a task model off."""
    name = name.removeprefix("mpnet.")
    return None if _UNUSED.fullmatch(name) else name


def build(config: Config, scan: ScanWeight) -> Node:
    """Embeddings without types, then layers as in BERT."""
    check_plain(config)
    embeddings, encoder = _parts(config)
    distances = added_by_distance(scan(_DISTANCES), BUCKETS, LONGEST)

    def attend(query: Node, key: Node, value: Node) -> Node:
        dropout = encoder.attention_dropout
        return self_attention(query, key, value, encoder.heads, dropout, relative=distances)

    return encoder.build(embeddings.build(scan, encoder.eps, encoder.dropout), scan, attend)


def _parts(config: Config) -> tuple[TextEmbeddings, EncoderLayers]:
    names = (f"encoder.layer.{i}" for i in range(layer_count(config, "num_hidden_layers")))
    layers = [
        Layer(
            query=f"{name}.attention.attn.q",
            key=f"{name}.attention.attn.k",
            value=f"{name}.attention.attn.v",
            rest=PostNormLayer.as_in_bert(
                name, out=f"{name}.attention.attn.o", attention_norm=f"{name}.attention.LayerNorm"
            ),
        )
        for name in names
    ]
    encoder = encoder_of(config, layers)
    words = whole_number(config, "vocab_size")
    positions = whole_number(config, "max_position_embeddings", FIRST_POSITION + 1)
    embeddings = TextEmbeddings(words, positions, encoder.width, skipped=FIRST_POSITION)
    return embeddings, encoder


MPNET = Architecture(
    name="mpnet",
    model_types=("mpnet",),
    reads="tokens",
    weights=weights,
    rename=rename,
    build=build,
    positions=lambda config: whole_number(config, "max_position_embeddings") - FIRST_POSITION,
    heads=HEADS,
    head_names=HEAD_NAMES,
)
