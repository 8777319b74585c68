"""DeBERTa, first, second and third version: BERT with disentangled attention.

He et al., "DeBERTa: Decoding-enhanced BERT with Disentangled Attention", 2020; "DeBERTaV3", 2021.
"""

from __future__ import annotations

import re

import numpy as np

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.architecture import (
    Architecture,
    Config,
    ScanWeight,
    activation,
    dropout_rate,
    flag,
    head_count,
    layer_count,
    linear,
    positive_number,
    token_input,
    whole_number,
)
from gpudb.models.architectures.bert import PREDICTIONS
from gpudb.models.disentangled import (
    TERMS,
    Projected,
    disentangled_attention,
    longest_distance,
    terms,
    vector_rows,
)
from gpudb.models.distances import constant_rows
from gpudb.models.heads import sequence_classifier, token_classifier
from gpudb.models.post_norm import PostNormLayer
from gpudb.models.steps import linear_shapes, norm, norm_shapes, project
from gpudb.plan.node import Node
from gpudb.plan.tensor import Dropout, Gather, Matmul, Zip

_UNUSED = re.compile(r"embeddings\.position_ids")
_VECTORS = "encoder.rel_embeddings.weight"


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    _check_supported(config)
    width, wide = whole_number(config, "hidden_size"), whole_number(config, "intermediate_size")
    narrow = _embedding_width(config)
    shapes: dict[str, tuple[int, ...]] = {
        f"embeddings.{table}.weight": (whole_number(config, extent), narrow)
        for table, extent, _ in _tables(config)
    }
    shapes |= norm_shapes("embeddings.LayerNorm", width)
    if narrow != width:
        shapes["embeddings.embed_proj.weight"] = (width, narrow)
    if flag(config, "relative_attention"):
        shapes[_VECTORS] = (2 * (_buckets(config) or longest_distance(config)), width)
        if _vectors_have_norm(config):
            shapes |= norm_shapes("encoder.LayerNorm", width)
    of_attention = _first_shapes if _is_first(config) else _later_shapes
    for layer in _layers(config):
        shapes |= of_attention(config, f"{layer}.attention.self", width)
        shapes |= PostNormLayer.as_in_bert(layer).shapes(width, wide)
    return shapes


def rename(name: str) -> str | None:
    """Take the prefix of a task model off."""
    name = name.removeprefix("deberta.")
    return None if _UNUSED.fullmatch(name) else name


def build(config: Config, scan: ScanWeight) -> Node:
    """Embeddings, then layers as in BERT over disentangled attention."""
    width = whole_number(config, "hidden_size")
    heads = head_count(config, "num_attention_heads", width)
    eps = positive_number(config, "layer_norm_eps", 1e-7)
    dropout = dropout_rate(config, "hidden_dropout_prob")
    attention_dropout = dropout_rate(config, "attention_probs_dropout_prob")
    fn = activation(config, "hidden_act")
    scale = float((width // heads * (1 + len(set(terms(config))))) ** -0.5)
    rows = vector_rows(longest_distance(config), _buckets(config))
    vectors: Node | None = None
    if flag(config, "relative_attention"):
        vectors = scan(_VECTORS)
        if _vectors_have_norm(config):
            vectors = norm(vectors, scan, "encoder.LayerNorm", eps)
    project_all = _first_projected if _is_first(config) else _later_projected

    x: Node = Dropout(norm(_embedded(config, scan), scan, "embeddings.LayerNorm", eps), dropout)
    for layer in _layers(config):
        projected = project_all(config, x, vectors, scan, f"{layer}.attention.self")
        context = disentangled_attention(projected, heads, scale, attention_dropout, rows)
        x = PostNormLayer.as_in_bert(layer).build(x, context, scan, fn, eps, dropout)
    return x


def _embedded(config: Config, scan: ScanWeight) -> Node:
    """The sum of what is looked up, as wide as the layers."""
    looked_up = [
        Gather(scan(f"embeddings.{table}.weight"), token_input(rows))
        for table, _, rows in _tables(config)
    ]
    summed: Node = looked_up[0]
    for other in looked_up[1:]:
        summed = Zip(summed, other, "add")
    if _embedding_width(config) == whole_number(config, "hidden_size"):
        return summed
    return Matmul(summed, scan("embeddings.embed_proj.weight"), transpose_right=True)


def _tables(config: Config) -> list[tuple[str, str, str]]:
    """Tables of embeddings: their names, what the config calls their rows, the input of numbers."""
    tables = [("word_embeddings", "vocab_size", "token_ids")]
    if config.get("position_biased_input", True):
        tables.append(("position_embeddings", "max_position_embeddings", "position_ids"))
    if whole_number({"type_vocab_size": 0, **config}, "type_vocab_size", 0):
        tables.append(("token_type_embeddings", "type_vocab_size", "type_ids"))
    return tables


def _later_shapes(config: Config, name: str, width: int) -> dict[str, tuple[int, ...]]:
    names = ["query_proj", "key_proj", "value_proj"]
    if flag(config, "relative_attention") and not flag(config, "share_att_key"):
        names += [n for n in _POSITION_PROJECTIONS if _POSITION_PROJECTIONS[n] in terms(config)]
    shapes: dict[str, tuple[int, ...]] = {}
    for part in names:
        shapes |= linear_shapes(f"{name}.{part}", width, width)
    return shapes


_POSITION_PROJECTIONS = dict(zip(("pos_key_proj", "pos_query_proj"), TERMS, strict=True))


def _later_projected(
    config: Config, x: Node, vectors: Node | None, scan: ScanWeight, name: str
) -> Projected:
    shared = ("key_proj", "query_proj")
    names = shared if flag(config, "share_att_key") else tuple(_POSITION_PROJECTIONS)

    def of_distances(projection: str, term: str) -> Node | None:
        if vectors is None or term not in terms(config):
            return None
        return project(vectors, scan, f"{name}.{projection}")

    return Projected(
        *(project(x, scan, f"{name}.{part}_proj") for part in ("query", "key", "value")),
        *(of_distances(n, term) for n, term in zip(names, TERMS, strict=True)),
    )


def _first_shapes(config: Config, name: str, width: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        f"{name}.in_proj.weight": (3 * width, width),
        f"{name}.q_bias": (width,),
        f"{name}.v_bias": (width,),
    }
    if flag(config, "relative_attention"):
        if "c2p" in terms(config):
            shapes[f"{name}.pos_proj.weight"] = (width, width)
        if "p2c" in terms(config):
            shapes |= linear_shapes(f"{name}.pos_q_proj", width, width)
    return shapes


def _first_projected(
    config: Config, x: Node, vectors: Node | None, scan: ScanWeight, name: str
) -> Projected:
    """One matrix has the rows of query, key and value together for each head."""
    width = whole_number(config, "hidden_size")
    heads = head_count(config, "num_attention_heads", width)
    by_part = np.arange(3 * width).reshape(heads, 3, width // heads).transpose(1, 0, 2)
    merged = scan(f"{name}.in_proj.weight")
    query, key, value = (
        Gather(merged, constant_rows("heads", rows.reshape(-1))) for rows in by_part
    )
    key_vectors = query_vectors = None
    if vectors is not None and "c2p" in terms(config):
        weight = scan(f"{name}.pos_proj.weight")
        key_vectors = Matmul(vectors, weight, transpose_right=True)
    if vectors is not None and "p2c" in terms(config):
        query_vectors = project(vectors, scan, f"{name}.pos_q_proj")
    return Projected(
        linear(x, query, scan(f"{name}.q_bias")),
        Matmul(x, key, transpose_right=True),
        linear(x, value, scan(f"{name}.v_bias")),
        key_vectors,
        query_vectors,
    )


def _check_supported(config: Config) -> None:
    refused = {
        "conv_kernel_size": "a convolution beside the first layer",
        "z_steps": "repeated last layers",
        "talking_head": "products of heads",
    }
    for key, what in refused.items():
        if config.get(key):
            raise UnsupportedError(
                f"config.json: {key} is {config[key]!r}; gpudb does not compute {what}: use a "
                "DeBERTa without"
            )


def _buckets(config: Config) -> int:
    """Buckets of distances on either side; 0 for a vector for each distance."""
    found = config.get("position_buckets", -1)
    if _is_first(config) or found == -1:
        return 0
    return whole_number(config, "position_buckets", 0)


def _vectors_have_norm(config: Config) -> bool:
    found = config.get("norm_rel_ebd", "none")
    if not isinstance(found, str):
        raise CheckpointError(f"config.json: norm_rel_ebd is {found!r}; expected a text")
    return "layer_norm" in [part.strip() for part in found.lower().split("|")]


def _embedding_width(config: Config) -> int:
    key = "embedding_size" if "embedding_size" in config else "hidden_size"
    return whole_number(config, key)


def _is_first(config: Config) -> bool:
    return config.get("model_type") == "deberta"


def _layers(config: Config) -> list[str]:
    return [f"encoder.layer.{i}" for i in range(layer_count(config, "num_hidden_layers"))]


HEADS = {
    "SequenceClassification": sequence_classifier(
        "pooler.dense",
        "classifier",
        lambda config: activation({"pooler_hidden_act": "gelu", **config}, "pooler_hidden_act"),
    ),
    "TokenClassification": token_classifier(),
    "MaskedLM": PREDICTIONS,
}

DEBERTA = Architecture(
    name="deberta",
    model_types=("deberta", "deberta-v2"),
    reads="tokens",
    weights=weights,
    rename=rename,
    build=build,
    # What has no vectors of positions could be longer; it is not what such models are trained on.
    positions=lambda config: whole_number(config, "max_position_embeddings"),
    heads=HEADS,
    head_names=(
        "pooler.",
        "cls.",
        "classifier.",
        "lm_predictions.",
        "mask_predictions.",
        "qa_outputs.",
        "lm_head.",
    ),
)
