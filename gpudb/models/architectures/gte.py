"""GTE of the second generation: BERT with rotary positions and a gated feed-forward net.

Zhang et al., "mGTE: Generalized Long-Context Text Representation and Reranking Models", 2024.
(The first generation, GTE-base, is plain BERT.)
"""

from __future__ import annotations

from gpudb.models.architecture import (
    Architecture,
    Config,
    ScanWeight,
    activation,
    dropout_rate,
    layer_count,
    positive_number,
    token_input,
    whole_number,
)
from gpudb.models.heads import always, masked_words, sequence_classifier, token_classifier
from gpudb.models.rotary import rotary_attention, rotary_base, rotary_heads
from gpudb.models.steps import linear_shapes, norm, norm_shapes, project
from gpudb.plan.node import Node
from gpudb.plan.tensor import Columns, Dropout, Gather, Map, Matmul, Zip

_PREFIXES = ("new.", "gte.", "model.", "0.auto_model.")


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    width = whole_number(config, "hidden_size")
    wide = whole_number(config, "intermediate_size")
    types = whole_number(config, "type_vocab_size", least=0)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (whole_number(config, "vocab_size"), width),
        **norm_shapes("embeddings.LayerNorm", width),
    }
    if types:
        shapes["embeddings.token_type_embeddings.weight"] = (types, width)
    for layer in _layers(config):
        shapes |= {
            **linear_shapes(f"{layer}.attention.qkv_proj", 3 * width, width),
            **linear_shapes(f"{layer}.attention.o_proj", width, width),
            f"{layer}.mlp.up_gate_proj.weight": (2 * wide, width),
            **linear_shapes(f"{layer}.mlp.down_proj", width, wide),
            **norm_shapes(f"{layer}.attn_ln", width),
            **norm_shapes(f"{layer}.mlp_ln", width),
        }
    return shapes


def rename(name: str) -> str | None:
    """Take the prefix of a task model off; the norm of a head has two names."""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name.replace("lm_head.layer_norm.", "lm_head.norm.")


def build(config: Config, scan: ScanWeight) -> Node:
    """Embeddings without positions, then layers with the norm after each residual sum."""
    width = whole_number(config, "hidden_size")
    wide = whole_number(config, "intermediate_size")
    heads = rotary_heads(config, "num_attention_heads", width)
    base = rotary_base(config, "rope_theta", 160_000.0)
    eps = positive_number(config, "layer_norm_eps", 1e-12)
    dropout = dropout_rate(config, "hidden_dropout_prob")
    attention_dropout = dropout_rate(config, "attention_probs_dropout_prob")
    fn = activation(config, "hidden_act")

    def feed(x: Node, name: str) -> Node:
        merged = Matmul(x, scan(f"{name}.up_gate_proj.weight"), transpose_right=True)
        up, gate = Columns(merged, 0, wide), Columns(merged, wide, 2 * wide)
        gated = Dropout(Zip(Map(gate, fn), up, "multiply"), dropout)
        return Dropout(project(gated, scan, f"{name}.down_proj"), dropout)

    embedded: Node = Gather(scan("embeddings.word_embeddings.weight"), token_input("token_ids"))
    if whole_number(config, "type_vocab_size", least=0):
        table = scan("embeddings.token_type_embeddings.weight")
        embedded = Zip(embedded, Gather(table, token_input("type_ids")), "add")
    x: Node = Dropout(norm(embedded, scan, "embeddings.LayerNorm", eps), dropout)
    for layer in _layers(config):
        merged = project(x, scan, f"{layer}.attention.qkv_proj")
        context = rotary_attention(merged, heads, base, attention_dropout)
        attended = Dropout(project(context, scan, f"{layer}.attention.o_proj"), dropout)
        x = norm(Zip(attended, x, "add"), scan, f"{layer}.attn_ln", eps)
        x = norm(Zip(feed(x, f"{layer}.mlp"), x, "add"), scan, f"{layer}.mlp_ln", eps)
    return x


def _layers(config: Config) -> list[str]:
    return [f"encoder.layer.{i}" for i in range(layer_count(config, "num_hidden_layers"))]


HEADS = {
    "SequenceClassification": sequence_classifier("pooler.dense", "classifier"),
    "TokenClassification": token_classifier(),
    "MaskedLM": masked_words(
        "lm_head.dense",
        "lm_head.norm",
        "lm_head.decoder",
        "lm_head.decoder.bias",
        fn=always("gelu"),
    ),
}

GTE = Architecture(
    name="gte",
    model_types=("gte",),
    reads="tokens",
    weights=weights,
    rename=rename,
    build=build,
    positions=lambda config: whole_number(config, "max_position_embeddings"),
    heads=HEADS,
    head_names=("pooler.", "lm_head.", "classifier."),
)
