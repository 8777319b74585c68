"""ModernBERT: rotary positions, a gated feed-forward net, windows in most layers, norms before.

Warner et al., "Smarter, Better, Faster, Longer: A Modern Bidirectional Encoder", 2024.
"""

from __future__ import annotations

from math import inf
from typing import Any, Literal

from gpudb.errors import CheckpointError
from gpudb.models.architecture import (
    Architecture,
    Config,
    Head,
    ScanWeight,
    activation,
    dropout_rate,
    flag,
    layer_count,
    linear,
    positive_number,
    token_input,
    whole_number,
)
from gpudb.models.distances import MOST_DISTANCE
from gpudb.models.heads import is_tied
from gpudb.models.rotary import rotary_attention, rotary_base, rotary_heads
from gpudb.models.steps import linear_shapes, project
from gpudb.plan.node import Node
from gpudb.plan.tensor import Columns, Constant, Dropout, Gather, LayerNorm, Map, Matmul, Zip
from gpudb.types import TensorSchema

_PREFIXES = ("model.", "0.auto_model.")
_WORDS = "embeddings.tok_embeddings.weight"
_FULL, _SLIDING = "full_attention", "sliding_attention"


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    width = whole_number(config, "hidden_size")
    wide = whole_number(config, "intermediate_size")
    norms = ["embeddings.norm", "final_norm"]
    shapes: dict[str, tuple[int, ...]] = {_WORDS: (whole_number(config, "vocab_size"), width)}
    for number in range(layer_count(config, "num_hidden_layers")):
        layer = f"layers.{number}"
        norms += [f"{layer}.attn_norm"] * (number > 0) + [f"{layer}.mlp_norm"]
        for name, outputs, inputs, biased in (
            ("attn.Wqkv", 3 * width, width, "attention_bias"),
            ("attn.Wo", width, width, "attention_bias"),
            ("mlp.Wi", 2 * wide, width, "mlp_bias"),
            ("mlp.Wo", width, wide, "mlp_bias"),
        ):
            shapes |= linear_shapes(f"{layer}.{name}", outputs, inputs, flag(config, biased))
    for norm in norms:
        shapes |= _norm_shapes(config, norm)
    return shapes


def rename(name: str) -> str | None:
    """Take the prefix of a task model off."""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def build(config: Config, scan: ScanWeight) -> Node:
    """Embeddings, then layers with the norm before each branch; the first norm comes twice."""
    width = whole_number(config, "hidden_size")
    wide = whole_number(config, "intermediate_size")
    heads = rotary_heads(config, "num_attention_heads", width)
    fn = activation(config, "hidden_activation")
    attention_dropout = dropout_rate(config, "attention_dropout")
    dropout = dropout_rate(config, "mlp_dropout")
    bases = {
        _FULL: rotary_base(config, "global_rope_theta", 160_000.0, _FULL),
        _SLIDING: rotary_base(config, "local_rope_theta", 10_000.0, _SLIDING),
    }
    windows = {_FULL: None, _SLIDING: _window(config)}

    def norm(x: Node, name: str) -> Node:
        return _norm(config, x, scan, name)

    def projected(x: Node, name: str, biased: str) -> Node:
        return project(x, scan, name, flag(config, biased))

    def attend(x: Node, name: str, kind: str) -> Node:
        merged = projected(x, f"{name}.Wqkv", "attention_bias")
        context = rotary_attention(
            merged, heads, bases[kind], attention_dropout, relative=windows[kind]
        )
        return Dropout(projected(context, f"{name}.Wo", "attention_bias"), attention_dropout)

    def feed(x: Node, name: str) -> Node:
        merged = projected(x, f"{name}.Wi", "mlp_bias")
        gate, up = Columns(merged, 0, wide), Columns(merged, wide, 2 * wide)
        gated = Dropout(Zip(Map(gate, fn), up, "multiply"), dropout)
        return projected(gated, f"{name}.Wo", "mlp_bias")

    words = Gather(scan(_WORDS), token_input("token_ids"))
    x: Node = Dropout(norm(words, "embeddings.norm"), dropout_rate(config, "embedding_dropout"))
    for number, kind in enumerate(_layer_types(config)):
        layer = f"layers.{number}"
        before = norm(x, f"{layer}.attn_norm") if number else x
        x = Zip(x, attend(before, f"{layer}.attn", kind), "add")
        x = Zip(x, feed(norm(x, f"{layer}.mlp_norm"), f"{layer}.mlp"), "add")
    return norm(x, "final_norm")


def _norm_shapes(config: Config, name: str) -> dict[str, tuple[int, ...]]:
    kinds = ("weight", "bias") if flag(config, "norm_bias") else ("weight",)
    return {f"{name}.{kind}": (whole_number(config, "hidden_size"),) for kind in kinds}


def _norm(config: Config, x: Node, scan: ScanWeight, name: str) -> Node:
    width = whole_number(config, "hidden_size")
    bias: Node = Constant(TensorSchema.one_block("zeros", (width,)), (0.0,) * width)
    if flag(config, "norm_bias"):
        bias = scan(f"{name}.bias")
    eps = positive_number(config, "norm_eps", 1e-5)
    return LayerNorm(x, scan(f"{name}.weight"), bias, eps)


def _window(config: Config) -> Node:
    """Added to scores: a token sees half of ``local_attention`` to either side, and itself."""
    tokens = whole_number(config, "local_attention")
    if tokens > 2 * MOST_DISTANCE:
        raise CheckpointError(
            f"config.json: local_attention is {tokens}; expected a whole number from 1 to "
            f"{2 * MOST_DISTANCE}"
        )
    seen = (0.0,) * (tokens // 2 * 2 + 1)
    return Constant(TensorSchema.one_block("window", (1, len(seen) + 2)), (-inf, *seen, -inf))


def _layer_types(config: Config) -> list[str]:
    """For each layer, whether its tokens see the whole sequence or a window."""
    layers = layer_count(config, "num_hidden_layers")
    types: Any = config.get("layer_types")
    if types is None:
        every = whole_number(
            {"global_attn_every_n_layers": 3, **config}, "global_attn_every_n_layers"
        )
        return [_SLIDING if number % every else _FULL for number in range(layers)]
    known = isinstance(types, list) and all(kind in (_FULL, _SLIDING) for kind in types)
    if not known or len(types) != layers:
        raise CheckpointError(
            f"config.json: layer_types is {types!r:.200}; expected {_FULL!r} or {_SLIDING!r} for "
            f"each of {layers} layers"
        )
    return list(types)


def _prediction_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    width = whole_number(config, "hidden_size")
    dense = linear_shapes("head.dense", width, width, flag(config, "classifier_bias"))
    return dense | _norm_shapes(config, "head.norm")


def _predicted(config: Config, scan: ScanWeight, rows: Node) -> Node:
    """A linear step, a function and a norm, which all heads begin with."""
    fn = activation({"classifier_activation": "gelu", **config}, "classifier_activation")
    x = Map(project(rows, scan, "head.dense", flag(config, "classifier_bias")), fn)
    return _norm(config, x, scan, "head.norm")


def _pooling(config: Config) -> str:
    found = config.get("classifier_pooling", "cls")
    if found not in ("cls", "mean"):
        raise CheckpointError(
            f"config.json: classifier_pooling is {found!r}; expected 'cls' or 'mean'"
        )
    return str(found)


def _classifier(kind: Literal["classify", "tag"]) -> Head:
    def shapes(config: Config, outputs: int) -> dict[str, tuple[int, ...]]:
        last = linear_shapes("classifier", outputs, whole_number(config, "hidden_size"))
        return _prediction_shapes(config) | last

    def logits(config: Config, scan: ScanWeight, rows: Node) -> Node:
        x = _predicted(config, scan, rows)
        return linear(x, scan("classifier.weight"), scan("classifier.bias"))

    return Head(kind, "classifier.bias", shapes, logits, _pooling)


def _masked_words() -> Head:
    def biased(config: Config) -> bool:
        return flag({"decoder_bias": True, **config}, "decoder_bias")

    def shapes(config: Config, outputs: int) -> dict[str, tuple[int, ...]]:
        width = whole_number(config, "hidden_size")
        last = linear_shapes("decoder", outputs, width, biased(config))
        if is_tied(config):
            del last["decoder.weight"]
        return _prediction_shapes(config) | last

    def logits(config: Config, scan: ScanWeight, rows: Node) -> Node:
        x = _predicted(config, scan, rows)
        words = scan(_WORDS if is_tied(config) else "decoder.weight")
        if biased(config):
            return linear(x, words, scan("decoder.bias"))
        return Matmul(x, words, transpose_right=True)

    return Head("fill_mask", "head.norm.weight", shapes, logits, outputs="vocab_size")


HEADS = {
    "SequenceClassification": _classifier("classify"),
    "TokenClassification": _classifier("tag"),
    "MaskedLM": _masked_words(),
}

MODERNBERT = Architecture(
    name="modernbert",
    model_types=("modernbert",),
    reads="tokens",
    weights=weights,
    rename=rename,
    build=build,
    positions=lambda config: whole_number(config, "max_position_embeddings"),
    heads=HEADS,
    head_names=("head.", "decoder.", "classifier."),
)
