"""The architectures: which checkpoint is whose, and what a config may say."""

from __future__ import annotations

from typing import Any

import pytest

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.architecture import ACTIVATIONS, Config
from gpudb.models.architectures import (
    ARCHITECTURES,
    bart,
    bert,
    deberta,
    find_architecture,
    mpnet,
    t5,
    transformer_encoder,
)
from gpudb.plan.node import walk
from gpudb.plan.tensor import MAP_FUNCTIONS, Input, Scan
from gpudb.types import TensorSchema
from tests.tiny_encoders import BART_CONFIG
from tests.tiny_plans import BERT_CONFIG, DEBERTA_CONFIG, MPNET_CONFIG, T5_CONFIG, TORCH_CONFIG

KNOWN = ", ".join(kind for a in ARCHITECTURES for kind in a.model_types)
FIRST_DEBERTA = {**DEBERTA_CONFIG, "model_type": "deberta"}
THIRD_DEBERTA = {
    **DEBERTA_CONFIG,
    "share_att_key": True,
    "norm_rel_ebd": "layer_norm",
    "position_biased_input": False,
    "type_vocab_size": 0,
}
LAYER = "encoder.layer.0"
MBART = {"model_type": "mbart", "scale_embedding": True}
GATED = {"feed_forward_proj": "gated-gelu"}


def scan(shapes: dict[str, tuple[int, ...]], name: str) -> Scan:
    return Scan(TensorSchema(name, shapes[name], shapes[name]))


@pytest.mark.parametrize(
    ("kind", "name"),
    [("bert", "bert"), ("torch.nn.TransformerEncoder", "transformer_encoder")],
)
def test_model_type_decides(kind: str, name: str) -> None:
    assert find_architecture({"model_type": kind}).name == name


@pytest.mark.parametrize("found", ["gpt2", "BERT", ""])
def test_an_unknown_architecture_lists_the_known(found: str) -> None:
    with pytest.raises(UnsupportedError, match=f"{found!r}; gpudb knows {KNOWN}"):
        find_architecture({"model_type": found})


@pytest.mark.parametrize("config", [{}, {"model_type": 3}, {"model_type": ["bert"]}])
def test_no_architecture_lists_the_known(config: Config) -> None:
    with pytest.raises(CheckpointError, match=f"expected the name of an architecture: {KNOWN}"):
        find_architecture(config)


def test_names_and_model_types_are_unique() -> None:
    kinds = [kind for a in ARCHITECTURES for kind in a.model_types]
    assert len({a.name for a in ARCHITECTURES}) == len(ARCHITECTURES)
    assert len(set(kinds)) == len(kinds)


def test_every_activation_is_a_function_of_plans() -> None:
    assert set(ACTIVATIONS.values()) <= set(MAP_FUNCTIONS)


@pytest.mark.parametrize(
    ("module", "config", "inputs", "width"),
    [
        (bart, BART_CONFIG, {"token_ids", "position_ids", "sequences"}, 8),
        (bart, {**BART_CONFIG, **MBART}, {"token_ids", "position_ids", "sequences"}, 8),
        (bert, BERT_CONFIG, {"token_ids", "type_ids", "position_ids", "sequences"}, 8),
        (deberta, DEBERTA_CONFIG, {"token_ids", "type_ids", "position_ids", "sequences"}, 8),
        (deberta, FIRST_DEBERTA, {"token_ids", "type_ids", "position_ids", "sequences"}, 8),
        (deberta, THIRD_DEBERTA, {"token_ids", "sequences"}, 8),
        (deberta, {**THIRD_DEBERTA, "embedding_size": 5}, {"token_ids", "sequences"}, 8),
        (mpnet, MPNET_CONFIG, {"token_ids", "position_ids", "sequences"}, 8),
        (t5, T5_CONFIG, {"token_ids", "sequences"}, 8),
        (t5, {**T5_CONFIG, **GATED, "model_type": "umt5"}, {"token_ids", "sequences"}, 8),
        (transformer_encoder, TORCH_CONFIG, {"rows", "sequences"}, 8),
        (transformer_encoder, {**TORCH_CONFIG, "final_norm": True}, {"rows", "sequences"}, 8),
        (transformer_encoder, {**TORCH_CONFIG, "norm_first": True}, {"rows", "sequences"}, 8),
    ],
)
def test_a_plan_reads_every_weight_and_nothing_else(
    module: Any, config: dict[str, Any], inputs: set[str], width: int
) -> None:
    shapes = module.weights(config)
    plan = module.build(config, lambda name: scan(shapes, name))
    assert {n.tensor.name for n in walk(plan) if isinstance(n, Scan)} == set(shapes)
    assert {n.tensor.name for n in walk(plan) if isinstance(n, Input)} == inputs
    assert plan.schema.shape == ("tokens", width)


@pytest.mark.parametrize(
    ("module", "found", "name"),
    [
        (bart, "model.encoder.layers.0.fc1.bias", "layers.0.fc1.bias"),
        (bart, "layers.0.fc1.bias", "layers.0.fc1.bias"),
        (bart, "model.encoder.embed_tokens.weight", "embed_tokens.weight"),
        (bart, "shared.weight", "embed_tokens.weight"),
        (bart, "model.decoder.layers.0.fc1.bias", None),
        (bart, "decoder.embed_tokens.weight", None),
        (bart, "encoder.version", None),
        (bart, "final_logits_bias", None),
        (bart, "classification_head.dense.weight", None),
        (
            mpnet,
            "mpnet.encoder.layer.0.attention.attn.q.bias",
            "encoder.layer.0.attention.attn.q.bias",
        ),
        (mpnet, "mpnet.pooler.dense.weight", "pooler.dense.weight"),
        (mpnet, "lm_head.bias", "lm_head.bias"),
        (mpnet, "embeddings.position_ids", None),
        (t5, "encoder.embed_tokens.weight", "shared.weight"),
        (t5, "shared.weight", "shared.weight"),
        (t5, "embed_tokens.weight", "shared.weight"),
        (t5, "block.0.layer_norm.weight", "encoder.block.0.layer_norm.weight"),
        (t5, "final_layer_norm.weight", "encoder.final_layer_norm.weight"),
        (t5, "decoder.block.0.layer.0.SelfAttention.q.weight", None),
        (t5, "lm_head.weight", None),
        (t5, "classification_head.dense.weight", None),
        (t5, "classifier.weight", "classifier.weight"),
    ],
)
def test_names_in_other_checkpoints(module: Any, found: str, name: str | None) -> None:
    assert module.rename(found) == name


@pytest.mark.parametrize(
    ("found", "name"),
    [
        ("encoder.layer.0.output.dense.weight", "encoder.layer.0.output.dense.weight"),
        ("bert.embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"),
        ("bert.embeddings.LayerNorm.beta", "embeddings.LayerNorm.bias"),
        ("0.auto_model.embeddings.LayerNorm.bias", "embeddings.LayerNorm.bias"),
        ("bert.pooler.dense.weight", "pooler.dense.weight"),
        ("cls.predictions.transform.LayerNorm.gamma", "cls.predictions.transform.LayerNorm.weight"),
        ("classifier.bias", "classifier.bias"),
        ("embeddings.position_ids", None),
        ("bert.embeddings.token_type_ids", None),
        ("poolers.dense.weight", "poolers.dense.weight"),
        ("encoder.layer.0.gamma", "encoder.layer.0.gamma"),
        ("w", "w"),
    ],
)
def test_names_in_bert_checkpoints(found: str, name: str | None) -> None:
    assert bert.rename(found) == name


GOOD: dict[Any, dict[str, Any]] = {
    bart: BART_CONFIG,
    bert: BERT_CONFIG,
    deberta: DEBERTA_CONFIG,
    mpnet: MPNET_CONFIG,
    t5: T5_CONFIG,
    transformer_encoder: TORCH_CONFIG,
}
BAD: list[tuple[Any, dict[str, Any], str]] = [
    (bart, {"encoder_layers": 0}, "encoder_layers is 0"),
    (bart, {"encoder_attention_heads": 3}, "encoder_attention_heads is 3, which does not divide"),
    (bart, {"scale_embedding": 2}, "scale_embedding is 2; expected true or false"),
    (bart, {"max_position_embeddings": 0}, "max_position_embeddings is 0"),
    (bert, {"hidden_size": None}, "hidden_size is None; expected a whole number"),
    (bert, {"hidden_size": 8.0}, "hidden_size is 8.0"),
    (bert, {"type_vocab_size": 0}, "type_vocab_size is 0"),
    (
        bert,
        {"num_attention_heads": 3},
        "num_attention_heads is 3, which does not divide",
    ),
    (bert, {"hidden_act": None}, "hidden_act is None; gpudb computes one of gelu"),
    (bert, {"layer_norm_eps": -1e-5}, "layer_norm_eps is -1e-05; expected a number above 0"),
    (bert, {"layer_norm_eps": float("nan")}, "layer_norm_eps is nan"),
    (bert, {"layer_norm_eps": True}, "layer_norm_eps is True"),
    (bert, {"hidden_dropout_prob": None}, "hidden_dropout_prob is None; expected a number from 0"),
    (bert, {"attention_probs_dropout_prob": 1.5}, "attention_probs_dropout_prob is 1.5"),
    (bert, {"is_decoder": "no"}, "is_decoder is 'no'; expected true or false"),
    (deberta, {"pos_att_type": ["c2p", "p2p"]}, r"pos_att_type is \['c2p', 'p2p'\]; gpudb"),
    (deberta, {"pos_att_type": [3]}, "pos_att_type is .3.; gpudb computes c2p and p2c"),
    (deberta, {"pos_att_type": "c2p|p2"}, "pos_att_type is 'c2p.p2'"),
    (deberta, {"position_buckets": 1}, "position_buckets is 1 for distances up to 16"),
    (deberta, {"position_buckets": 30}, "position_buckets is 30 for distances up to 16"),
    (deberta, {"position_buckets": "4"}, "position_buckets is '4'"),
    (deberta, {"max_relative_positions": 1}, "max_relative_positions is 1"),
    (deberta, {"max_relative_positions": 10**9}, "max_relative_positions is 1000000000"),
    (deberta, {"norm_rel_ebd": 3}, "norm_rel_ebd is 3; expected a text"),
    (deberta, {"share_att_key": "yes"}, "share_att_key is 'yes'; expected true or false"),
    (mpnet, {"relative_attention_num_buckets": 31}, "relative_attention_num_buckets is 31"),
    (mpnet, {"max_position_embeddings": 2}, "max_position_embeddings is 2; .* at least 3"),
    (t5, {"feed_forward_proj": "gated-"}, "feed_forward_proj is 'gated-'; gpudb computes one"),
    (t5, {"feed_forward_proj": "gelu-gated"}, "feed_forward_proj is 'gelu-gated'"),
    (t5, {"feed_forward_proj": None}, "feed_forward_proj is None"),
    (t5, {"num_layers": 0}, "num_layers is 0"),
    (t5, {"relative_attention_num_buckets": 3}, "3 buckets for distances up to 128"),
    (t5, {"relative_attention_max_distance": 8}, "32 buckets for distances up to 8"),
    (t5, {"relative_attention_max_distance": 10**9}, "32 buckets for distances up to 1000000000"),
    (transformer_encoder, {"nhead": 3}, "nhead is 3, which does not divide the width 8"),
    (transformer_encoder, {"norm_first": "false"}, "norm_first is 'false'"),
    (transformer_encoder, {"final_norm": 1}, "final_norm is 1; expected true or false"),
    (transformer_encoder, {"dropout": "0.1"}, "dropout is '0.1'"),
    (transformer_encoder, {"activation": "geglu"}, "activation is 'geglu'"),
]


@pytest.mark.parametrize(("module", "change", "message"), BAD, ids=lambda v: str(v)[:50])
def test_configs_that_cannot_be(module: Any, change: dict[str, Any], message: str) -> None:
    good = GOOD[module]
    shapes = module.weights(good)
    config = {**good, **change}
    with pytest.raises(CheckpointError, match=f"config.json: {message}"):
        module.weights(config) and module.build(config, lambda name: scan(shapes, name))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"is_decoder": True}, "decoder"),
        ({"add_cross_attention": True}, "decoder"),
        ({"position_embedding_type": "relative_key_query"}, "gpudb computes 'absolute' only"),
    ],
)
def test_berts_that_are_no_plain_encoders(change: dict[str, Any], message: str) -> None:
    shapes = bert.weights(BERT_CONFIG)
    with pytest.raises(UnsupportedError, match=message):
        bert.build({**BERT_CONFIG, **change}, lambda name: scan(shapes, name))


@pytest.mark.parametrize("key", ["conv_kernel_size", "z_steps", "talking_head"])
def test_debertas_with_more_than_attention(key: str) -> None:
    with pytest.raises(UnsupportedError, match=f"{key} is 3; gpudb does not compute"):
        deberta.weights({**DEBERTA_CONFIG, key: 3})
