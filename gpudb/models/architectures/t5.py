"""The encoder of T5, mT5 and UMT5: sentence-T5, GTR, Instructor.

Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer",
2019. A norm before each branch, no biases, scores that are not scaled, no positions but what is
added to scores by distance: numbers of the first layer for all, in UMT5 of each layer for itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpudb.errors import CheckpointError
from gpudb.models.architecture import (
    ACTIVATIONS,
    Architecture,
    Config,
    ScanWeight,
    dropout_rate,
    layer_count,
    positive_number,
    token_input,
    whole_number,
)
from gpudb.models.attention import self_attention
from gpudb.models.distances import added_by_distance
from gpudb.models.heads import token_classifier
from gpudb.models.rms_norm import rms_norm
from gpudb.plan.node import Node
from gpudb.plan.tensor import Dropout, Gather, Map, Matmul, Zip

LONGEST = 128
"""Distance of the last bucket where the config does not say."""

_UNUSED = re.compile(r"(decoder|lm_head|classification_head)\..*")
_DISTANCES = "relative_attention_bias.weight"
_EMBEDDING = "shared.weight"


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    width, wide = whole_number(config, "d_model"), whole_number(config, "d_ff")
    heads = whole_number(config, "num_heads")
    inner = heads * whole_number(config, "d_kv")
    buckets = whole_number(config, "relative_attention_num_buckets")
    shapes: dict[str, tuple[int, ...]] = {
        _EMBEDDING: (whole_number(config, "vocab_size"), width),
        "encoder.final_layer_norm.weight": (width,),
    }
    ups = ("wi_0", "wi_1") if _feed_forward(config)[1] else ("wi",)
    for number, (attention, feed) in enumerate(_layers(config)):
        shapes |= {f"{attention}.SelfAttention.{n}.weight": (inner, width) for n in "qkv"}
        shapes |= {f"{attention}.SelfAttention.o.weight": (width, inner)}
        if number == 0 or _each_layer_has_distances(config):
            shapes[f"{attention}.SelfAttention.{_DISTANCES}"] = (buckets, heads)
        shapes |= {f"{feed}.DenseReluDense.{up}.weight": (wide, width) for up in ups}
        shapes |= {f"{feed}.DenseReluDense.wo.weight": (width, wide)}
        shapes |= {f"{name}.layer_norm.weight": (width,) for name in (attention, feed)}
    return shapes


def rename(name: str) -> str | None:
    """The embedding is there under one of several names, or more; an encoder may be by itself."""
    name = name.removeprefix("transformer.").removeprefix("0.auto_model.")
    if name.startswith(("block.", "embed_tokens.", "final_layer_norm.")):
        name = f"encoder.{name}"
    if name in ("encoder.embed_tokens.weight", "encoder.shared.shared.weight"):
        return _EMBEDDING  # the second name is TensorFlow's
    return None if _UNUSED.fullmatch(name) else name


def build(config: Config, scan: ScanWeight) -> Node:
    """Embedding, layers with a norm before each branch, and one behind the last."""
    heads = whole_number(config, "num_heads")
    eps = positive_number(config, "layer_norm_epsilon", 1e-6)
    dropout = dropout_rate(config, "dropout_rate")
    fn, gated = _feed_forward(config)
    buckets = whole_number(config, "relative_attention_num_buckets")
    longest = LONGEST
    if "relative_attention_max_distance" in config:
        longest = whole_number(config, "relative_attention_max_distance")

    def project(x: Node, name: str) -> Node:
        return Matmul(x, scan(f"{name}.weight"), transpose_right=True)

    def attend(x: Node, name: str, distances: Node) -> Node:
        query, key, value = (project(x, f"{name}.{part}") for part in "qkv")
        context = self_attention(query, key, value, heads, dropout, scale=1.0, relative=distances)
        return project(context, f"{name}.o")

    def feed(x: Node, name: str) -> Node:
        up = Map(project(x, f"{name}.wi_0" if gated else f"{name}.wi"), fn)
        inner = Zip(up, project(x, f"{name}.wi_1"), "multiply") if gated else up
        return project(Dropout(inner, dropout), f"{name}.wo")

    def norm(x: Node, name: str) -> Node:
        return rms_norm(x, scan(f"{name}.weight"), eps)

    x: Node = Dropout(Gather(scan(_EMBEDDING), token_input("token_ids")), dropout)
    distances: Node | None = None
    for attention, fed in _layers(config):
        if distances is None or _each_layer_has_distances(config):
            table = scan(f"{attention}.SelfAttention.{_DISTANCES}")
            distances = added_by_distance(table, buckets, longest)
        normed = norm(x, f"{attention}.layer_norm")
        x = Zip(x, Dropout(attend(normed, f"{attention}.SelfAttention", distances), dropout), "add")
        normed = norm(x, f"{fed}.layer_norm")
        x = Zip(x, Dropout(feed(normed, f"{fed}.DenseReluDense"), dropout), "add")
    return Dropout(norm(x, "encoder.final_layer_norm"), dropout)


def _feed_forward(config: Config) -> tuple[str, bool]:
    """The function between the products, and whether its result gates another product."""
    found = config.get("feed_forward_proj", "relu")
    if isinstance(found, str):
        # The authors' gated-gelu is the approximation.
        name = "gelu_new" if found == "gated-gelu" else found.removeprefix("gated-")
        if name in ACTIVATIONS:
            return ACTIVATIONS[name], found.startswith("gated-")
    raise CheckpointError(
        f"config.json: feed_forward_proj is {found!r}; gpudb computes one of "
        f"{', '.join(ACTIVATIONS)}, or gated- and one of them"
    )


def _each_layer_has_distances(config: Config) -> bool:
    return config.get("model_type") == "umt5"


def _layers(config: Config) -> Iterator[tuple[str, str]]:
    """Names of the attention and the feed-forward net of each layer."""
    for i in range(layer_count(config, "num_layers")):
        yield f"encoder.block.{i}.layer.0", f"encoder.block.{i}.layer.1"


T5 = Architecture(
    name="t5",
    model_types=("t5", "mt5", "umt5"),
    reads="tokens",
    weights=weights,
    rename=rename,
    build=build,
    positions=lambda config: None,
    # Texts are classified behind the decoder, which is not computed.
    heads={"TokenClassification": token_classifier(width="d_model")},
    head_names=("classifier.",),
)
