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
    activation,
    dropout_rate,
    head_count,
    layer_count,
    positive_number,
    token_input,
    whole_number,
)
from gpudb.models.attention import self_attention
from gpudb.models.distances import added_by_distance
from gpudb.models.post_norm import PostNormLayer, linear_shapes, norm, norm_shapes, project
from gpudb.plan.node import Node
from gpudb.plan.reshape import Slice
from gpudb.plan.tensor import Dropout, Gather, Zip

BUCKETS, LONGEST = 32, 128
"""Whatever ``relative_attention_num_buckets`` says, which is the number of rows of the table: the
encoder of the authors, and of transformers, looks up these."""

FIRST_POSITION = 2
"""Row of the first token: the rows before are for padding."""

_UNUSED = re.compile(r"embeddings\.position_ids|(pooler|lm_head|classifier|qa_outputs)\..*")
_DISTANCES = "encoder.relative_attention_bias.weight"


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    width, wide = whole_number(config, "hidden_size"), whole_number(config, "intermediate_size")
    heads = head_count(config, "num_attention_heads", width)
    positions = whole_number(config, "max_position_embeddings", FIRST_POSITION + 1)
    buckets = whole_number(config, "relative_attention_num_buckets", 1)
    if buckets < BUCKETS:
        raise CheckpointError(
            f"config.json: relative_attention_num_buckets is {buckets}; MPNet looks up {BUCKETS}"
        )
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (whole_number(config, "vocab_size"), width),
        "embeddings.position_embeddings.weight": (positions, width),
        **norm_shapes("embeddings.LayerNorm", width),
        _DISTANCES: (buckets, heads),
    }
    for name in _layers(config):
        for part in "qkv":
            shapes |= linear_shapes(f"{name}.attention.attn.{part}", width, width)
        shapes |= _layer(name).shapes(width, wide)
    return shapes


def rename(name: str) -> str | None:
    """Take the prefix of a task model off."""
    name = name.removeprefix("mpnet.")
    return None if _UNUSED.fullmatch(name) else name


def build(config: Config, scan: ScanWeight) -> Node:
    """Embeddings without types, then layers as in BERT."""
    width = whole_number(config, "hidden_size")
    eps = positive_number(config, "layer_norm_eps", 1e-12)
    dropout = dropout_rate(config, "hidden_dropout_prob")
    heads = head_count(config, "num_attention_heads", width)
    attention_dropout = dropout_rate(config, "attention_probs_dropout_prob")
    fn = activation(config, "hidden_act")
    distances = added_by_distance(scan(_DISTANCES), BUCKETS, LONGEST)
    table = scan("embeddings.position_embeddings.weight")
    used = Slice(table, (FIRST_POSITION, 0), (table.schema.numbers[0], width))
    words = Gather(scan("embeddings.word_embeddings.weight"), token_input("token_ids"))
    summed = Zip(words, Gather(used, token_input("position_ids")), "add")
    x: Node = Dropout(norm(summed, scan, "embeddings.LayerNorm", eps), dropout)
    for name in _layers(config):
        query, key, value = (project(x, scan, f"{name}.attention.attn.{part}") for part in "qkv")
        context = self_attention(query, key, value, heads, attention_dropout, relative=distances)
        x = _layer(name).build(x, context, scan, fn, eps, dropout)
    return x


def _layers(config: Config) -> list[str]:
    return [f"encoder.layer.{i}" for i in range(layer_count(config, "num_hidden_layers"))]


def _layer(name: str) -> PostNormLayer:
    return PostNormLayer.as_in_bert(
        name, out=f"{name}.attention.attn.o", attention_norm=f"{name}.attention.LayerNorm"
    )


MPNET = Architecture(
    name="mpnet",
    model_types=("mpnet",),
    reads="tokens",
    weights=weights,
    rename=rename,
    build=build,
    positions=lambda config: whole_number(config, "max_position_embeddings") - FIRST_POSITION,
)
