"""NomicBERT: nomic-embed-text. BERT with rotary positions and a gated feed-forward net.

Nussbaum et al., "Nomic Embed: Training a Reproducible Long Context Text Embedder", 2024. Its
configs have names of GPT-2, or in transformers those of BERT.
"""

from __future__ import annotations

from dataclasses import replace

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.architecture import (
    Architecture,
    Config,
    Head,
    ScanWeight,
    activation,
    dropout_rate,
    flag,
    layer_count,
    positive_number,
    token_input,
    whole_number,
)
from gpudb.models.heads import masked_words, sequence_classifier, token_classifier
from gpudb.models.rotary import rotary_attention, rotary_base, rotary_heads
from gpudb.models.steps import linear_shapes, norm, norm_shapes, project
from gpudb.plan.node import Node
from gpudb.plan.tensor import Dropout, Gather, Map, Zip

_PREFIXES = ("nomic_bert.", "bert.", "model.", "0.auto_model.")

_OLD_NAMES = {
    "n_embd": "hidden_size",
    "n_head": "num_attention_heads",
    "n_inner": "intermediate_size",
    "n_layer": "num_hidden_layers",
    "n_positions": "max_position_embeddings",
    "layer_norm_epsilon": "layer_norm_eps",
    "resid_pdrop": "hidden_dropout_prob",
    "attn_pdrop": "attention_probs_dropout_prob",
    "rotary_emb_base": "rope_theta",
}
"""Name in a config with the names of GPT-2 -> name in transformers."""

_PLAIN = {
    "activation_function": "swiglu",  # as all that were published
    "prenorm": False,
    "parallel_block": False,
    "use_rms_norm": False,
    "causal": False,
    "rotary_emb_scale_base": None,
}
"""Settings that would be another architecture -> what they must be."""


def weights(config: Config) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    config = _in_present_names(config)
    width = whole_number(config, "hidden_size")
    wide = whole_number(config, "intermediate_size")
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (whole_number(config, "vocab_size"), width),
        "embeddings.token_type_embeddings.weight": (
            whole_number(config, "type_vocab_size"),
            width,
        ),
        **norm_shapes("emb_ln", width),
    }
    for layer in _layers(config):
        shapes |= {
            **linear_shapes(f"{layer}.attn.Wqkv", 3 * width, width, flag(config, "qkv_proj_bias")),
            **linear_shapes(f"{layer}.attn.out_proj", width, width, flag(config, "qkv_proj_bias")),
            **linear_shapes(f"{layer}.mlp.fc11", wide, width, flag(config, "mlp_fc1_bias")),
            **linear_shapes(f"{layer}.mlp.fc12", wide, width, flag(config, "mlp_fc1_bias")),
            **linear_shapes(f"{layer}.mlp.fc2", width, wide, flag(config, "mlp_fc2_bias")),
            **norm_shapes(f"{layer}.norm1", width),
            **norm_shapes(f"{layer}.norm2", width),
        }
    return shapes


def rename(name: str) -> str | None:
    """Take the prefix of a task model off."""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def build(config: Config, scan: ScanWeight) -> Node:
    """Embeddings without positions, then layers with the norm after each residual sum."""
    config = _in_present_names(config)
    width = whole_number(config, "hidden_size")
    heads = rotary_heads(config, "num_attention_heads", width)
    base = rotary_base(config, "rope_theta", 1000.0)
    part = _turned(config, width // heads)
    interleaved = flag(config, "rotary_emb_interleaved")
    eps = positive_number(config, "layer_norm_eps", 1e-12)
    dropout = dropout_rate(config, "hidden_dropout_prob")
    attention_dropout = dropout_rate(config, "attention_probs_dropout_prob")
    fn = activation(config, "hidden_act")

    def projected(x: Node, name: str, biased: str) -> Node:
        return project(x, scan, name, flag(config, biased))

    def embedded(table: str, rows: str) -> Node:
        return Gather(scan(f"embeddings.{table}.weight"), token_input(rows))

    words = embedded("word_embeddings", "token_ids")
    types = embedded("token_type_embeddings", "type_ids")
    x: Node = Dropout(norm(Zip(words, types, "add"), scan, "emb_ln", eps), dropout)
    for layer in _layers(config):
        merged = projected(x, f"{layer}.attn.Wqkv", "qkv_proj_bias")
        context = rotary_attention(
            merged, heads, base, attention_dropout, part=part, interleaved=interleaved
        )
        attended = Dropout(projected(context, f"{layer}.attn.out_proj", "qkv_proj_bias"), dropout)
        x = norm(Zip(attended, x, "add"), scan, f"{layer}.norm1", eps)
        up, gate = (projected(x, f"{layer}.mlp.{fc}", "mlp_fc1_bias") for fc in ("fc11", "fc12"))
        gated = Zip(Map(gate, fn), up, "multiply")
        fed = Dropout(projected(gated, f"{layer}.mlp.fc2", "mlp_fc2_bias"), dropout)
        x = norm(Zip(fed, x, "add"), scan, f"{layer}.norm2", eps)
    return x


def positions(config: Config) -> int:
    """The longest sequence; with scaled positions, the longest that leaves them as they are."""
    config = _in_present_names(config)
    longest = whole_number(config, "max_position_embeddings")
    if config.get("rotary_scaling_factor") is None:
        return longest
    return min(longest, whole_number(config, "max_trained_positions"))


def _in_present_names(config: Config) -> Config:
    """The config as transformers writes it, whichever names it has."""
    if "n_embd" not in config:
        return config
    config = {"activation_function": "gelu_new", **config}  # what GPT-2 has without it
    for key, plain in _PLAIN.items():
        if config.get(key, plain) != plain:
            raise UnsupportedError(
                f"config.json: {key} is {config[key]!r}; gpudb computes NomicBERT with {plain!r}"
            )
    renamed = {_OLD_NAMES.get(key, key): value for key, value in config.items()}
    return {**renamed, "hidden_act": "silu"}


def _turned(config: Config, width: int) -> int:
    """Columns of each head that are turned."""
    part = int(width * positive_number(config, "rotary_emb_fraction", 1.0))
    if part % 2 or not 0 < part <= width:
        raise CheckpointError(
            f"config.json: rotary_emb_fraction is {config['rotary_emb_fraction']!r}; expected a "
            f"share that is an even number of the {width} columns of a head"
        )
    return part


def _layers(config: Config) -> list[str]:
    return [f"encoder.layers.{i}" for i in range(layer_count(config, "num_hidden_layers"))]


def _of_either_config(head: Head) -> Head:
    """The head, of a config with whichever names."""
    return replace(
        head,
        weights=lambda config, outputs: head.weights(_in_present_names(config), outputs),
        build=lambda config, scan, rows: head.build(_in_present_names(config), scan, rows),
    )


def _in_present_names_only(head: Head) -> Head:
    """The head, of a config as transformers writes it: other code had other steps in its place."""

    def weights(config: Config, outputs: int) -> dict[str, tuple[int, ...]]:
        if "n_embd" in config:
            raise UnsupportedError(
                "config.json has the names of GPT-2; gpudb computes NomicBERT's masked words as "
                "transformers does, which such a checkpoint was not written for. To import its "
                "encoder alone, take architectures out of config.json"
            )
        return head.weights(config, outputs)

    return replace(head, weights=weights)


HEADS = {
    "SequenceClassification": _of_either_config(sequence_classifier("pooler.dense", "classifier")),
    "TokenClassification": _of_either_config(token_classifier()),
    "MaskedLM": _in_present_names_only(
        masked_words(
            "cls.predictions.transform.dense",
            "cls.predictions.transform.layer_norm",
            "cls.predictions.decoder",
            "cls.predictions.bias",
        )
    ),
}

NOMIC_BERT = Architecture(
    name="nomic_bert",
    model_types=("nomic_bert",),
    reads="tokens",
    weights=weights,
    rename=rename,
    build=build,
    positions=positions,
    heads=HEADS,
    head_names=("pooler.", "cls.", "classifier."),
)
