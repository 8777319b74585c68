"""Encoders with rotary positions and gates: their plans, in both forms, and their configs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.architecture import Architecture
from gpudb.models.architectures import gte, modernbert, nomic_bert
from gpudb.models.heads import find_head, head_plan
from gpudb.plan.blockwise import blockwise
from gpudb.plan.node import Node, walk
from gpudb.plan.rules import NEEDED, RELATIONAL, RULES, optimize
from gpudb.plan.sequence import Rotary
from gpudb.plan.serialize import plan_from_json, plan_to_json
from gpudb.plan.tensor import Input, Scan
from gpudb.types import TensorSchema
from tests.tiny_plans import compute, kinds, nodes_of, token_encoder

SIZES: dict[str, Any] = {
    "vocab_size": 23,
    "hidden_size": 12,
    "intermediate_size": 10,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "max_position_embeddings": 32,
}
NOMIC: dict[str, Any] = {**SIZES, "type_vocab_size": 2, "hidden_act": "silu"}
GPT_NAMES: dict[str, Any] = {
    "vocab_size": 23,
    "n_embd": 12,
    "n_inner": 10,
    "n_layer": 3,
    "n_head": 2,
    "n_positions": 32,
    "type_vocab_size": 2,
    "activation_function": "swiglu",
}
GTE: dict[str, Any] = {**SIZES, "type_vocab_size": 1, "hidden_act": "gelu"}
MODERN: dict[str, Any] = {**SIZES, "hidden_activation": "gelu", "local_attention": 4}

BIASED = {"qkv_proj_bias": True, "mlp_fc1_bias": True, "mlp_fc2_bias": True}
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "nomic": (nomic_bert, NOMIC),
    "nomic, names of GPT-2": (nomic_bert, GPT_NAMES),
    "nomic, biased, part turned": (nomic_bert, {**GPT_NAMES, **BIASED, "rotary_emb_fraction": 0.7}),
    "nomic, neighbours": (nomic_bert, {**GPT_NAMES, "rotary_emb_interleaved": True}),
    "gte": (gte, GTE),
    "gte without types": (gte, {**GTE, "type_vocab_size": 0}),
    "modernbert": (modernbert, MODERN),
    "modernbert, biased": (
        modernbert,
        {**MODERN, "norm_bias": True, "attention_bias": True, "mlp_bias": True},
    ),
}
EVERY = pytest.mark.parametrize(("module", "config"), CASES.values(), ids=CASES.keys())


@EVERY
def test_a_plan_reads_every_weight_and_nothing_else(module: Any, config: dict[str, Any]) -> None:
    encoder = token_encoder(module, config, [3])
    read = {node.tensor.name for node in nodes_of(encoder.plan, Scan)}
    assert read == set(module.weights(config))
    inputs = {node.tensor.name for node in nodes_of(encoder.plan, Input)}
    assert inputs - {"type_ids"} == {"token_ids", "position_ids", "sequences"}
    assert encoder.plan.schema.shape == ("tokens", 12)
    again = plan_from_json(plan_to_json(encoder.plan))
    assert plan_to_json(again) == plan_to_json(encoder.plan)


@EVERY
def test_rules_make_three_kernels_of_attention_and_the_gate(
    module: Any, config: dict[str, Any]
) -> None:
    encoder = token_encoder(module, config, [3])
    found = Counter(kinds(optimize(encoder.plan, RULES)))
    assert found["Rotary"] == found["Attention"] == found["Gated"] == 3
    assert found["EmbeddingNorm"] == 1
    assert not set(found) & {"Gather", "Dropout", "Scores", "Map"}


@pytest.mark.parametrize("block", [1, 5, 100])
@pytest.mark.parametrize("lengths", [[1], [3, 1, 7, 2], [0, 5, 0, 6]], ids=str)
@EVERY
def test_over_blocks_it_means_the_same(
    module: Any, config: dict[str, Any], lengths: list[int], block: int
) -> None:
    encoder = token_encoder(module, _without_windows(config), lengths, dtype="float64")
    fused = compute(encoder.plan, encoder.arrays, RULES, encoder.inputs, encoder.sizes)
    plan = blockwise(encoder.plan, tuple(encoder.offsets.tolist()), block)
    assert all(node.schema.is_bound for node in walk(plan))
    inputs = encoder.arrays.dense | encoder.inputs
    run = compute(plan, encoder.arrays, RELATIONAL, inputs)
    np.testing.assert_allclose(run, fused, rtol=1e-9, atol=1e-12)
    plain = compute(encoder.plan, encoder.arrays, NEEDED, encoder.inputs, encoder.sizes)
    np.testing.assert_allclose(plain, fused, rtol=1e-9, atol=1e-12)


def _without_windows(config: dict[str, Any]) -> dict[str, Any]:
    """A window is of float32, and has no form over blocks."""
    return {**config, "layer_types": ["full_attention"] * 3} if config is not GPT_NAMES else config


@pytest.mark.parametrize("lengths", [[1], [2, 3, 9], [12]], ids=str)
def test_a_window_hides_what_is_further_away(lengths: list[int]) -> None:
    encoder = token_encoder(modernbert, {**MODERN, "num_hidden_layers": 2}, lengths)
    found = compute(encoder.plan, encoder.arrays, RULES, encoder.inputs, encoder.sizes)
    plain = compute(encoder.plan, encoder.arrays, NEEDED, encoder.inputs, encoder.sizes)
    np.testing.assert_allclose(plain, found, rtol=1e-4, atol=1e-5)
    # The first layer sees everything; without it, two layers of windows of 2 reach 4 tokens far.
    local = {**MODERN, "num_hidden_layers": 2, "layer_types": ["sliding_attention"] * 2}
    encoder = token_encoder(modernbert, local, [12])
    before = compute(encoder.plan, encoder.arrays, RULES, encoder.inputs, encoder.sizes)
    encoder.inputs["token_ids"][5] = (encoder.inputs["token_ids"][5] + 1) % MODERN["vocab_size"]
    after = compute(encoder.plan, encoder.arrays, RULES, encoder.inputs, encoder.sizes)
    changed = np.flatnonzero((before != after).any(axis=1))
    assert changed.tolist() == list(range(1, 10))


def test_old_names_say_what_the_present_ones_say() -> None:
    present, old = (token_encoder(nomic_bert, config, [5]).plan for config in (NOMIC, GPT_NAMES))
    assert plan_to_json(old) == plan_to_json(present)


def test_layers_have_the_base_of_their_kind() -> None:
    plain = {"global_rope_theta": 500.0, "local_rope_theta": 20.0}
    named = {
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 500.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 20.0},
        }
    }
    types = ["full_attention", "sliding_attention", "sliding_attention"]
    for config in (plain, named, {**named, "layer_types": types}):
        plan = token_encoder(modernbert, {**MODERN, **config}, [2]).plan
        assert [node.base for node in nodes_of(plan, Rotary)] == [500.0, 20.0, 20.0]
    plan = token_encoder(modernbert, {**MODERN, "global_attn_every_n_layers": 2}, [2]).plan
    assert [node.base for node in nodes_of(plan, Rotary)] == [160_000.0, 10_000.0, 160_000.0]


@pytest.mark.parametrize(
    ("module", "found", "name"),
    [
        (nomic_bert, "bert.encoder.layers.0.attn.Wqkv.weight", "encoder.layers.0.attn.Wqkv.weight"),
        (nomic_bert, "nomic_bert.emb_ln.bias", "emb_ln.bias"),
        (nomic_bert, "cls.predictions.decoder.bias", "cls.predictions.decoder.bias"),
        (gte, "new.encoder.layer.0.attn_ln.bias", "encoder.layer.0.attn_ln.bias"),
        (gte, "lm_head.decoder.bias", "lm_head.decoder.bias"),
        (gte, "lm_head.norm.bias", "lm_head.norm.bias"),
        (gte, "lm_head.layer_norm.bias", "lm_head.norm.bias"),
        (modernbert, "model.final_norm.weight", "final_norm.weight"),
        (modernbert, "head.dense.weight", "head.dense.weight"),
        (modernbert, "decoder.bias", "decoder.bias"),
    ],
)
def test_names_in_checkpoints(module: Any, found: str, name: str | None) -> None:
    assert module.rename(found) == name


def test_positions_that_would_be_scaled_are_not_reached() -> None:
    assert nomic_bert.positions(GPT_NAMES) == 32
    scaled = {**GPT_NAMES, "rotary_scaling_factor": 2, "max_trained_positions": 20}
    assert nomic_bert.positions(scaled) == 20
    assert nomic_bert.positions({**scaled, "n_positions": 16}) == 16


SCALED = {"rope_type": "yarn", "factor": 2.0}
REFUSED: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    (gte, {"num_attention_heads": 4}, CheckpointError, "heads are 3 wide"),
    (gte, {"rope_theta": 0}, CheckpointError, "rope_theta is 0; expected a number above 0"),
    (gte, {"rope_parameters": 3}, CheckpointError, "rope_parameters is 3; expected names"),
    (gte, {"rope_parameters": SCALED}, UnsupportedError, "rope_parameters scales .*'yarn'"),
    (gte, {"rope_scaling": {"type": "ntk"}}, UnsupportedError, "rope_scaling scales .*'ntk'"),
    (gte, {"type_vocab_size": -1}, CheckpointError, "type_vocab_size is -1"),
    (modernbert, {"layer_types": ["full_attention"]}, CheckpointError, "each of 3 layers"),
    (modernbert, {"layer_types": [["full_attention"]] * 3}, CheckpointError, "layer_types is"),
    (modernbert, {"local_attention": None}, CheckpointError, "local_attention is None"),
    (modernbert, {"local_attention": 10**12}, CheckpointError, "from 1 to 131072"),
    (modernbert, {"global_attn_every_n_layers": 0}, CheckpointError, "n_layers is 0"),
    (
        modernbert,
        {"rope_parameters": {"sliding_attention": SCALED}},
        UnsupportedError,
        "rope_parameters.sliding_attention scales",
    ),
    (nomic_bert, {"prenorm": True}, UnsupportedError, "prenorm is True"),
    (nomic_bert, {"causal": True}, UnsupportedError, "causal is True"),
    (nomic_bert, {"activation_function": "geglu"}, UnsupportedError, "is 'geglu'.*'swiglu'"),
    (nomic_bert, {"rotary_emb_fraction": 0.2}, CheckpointError, "rotary_emb_fraction is 0.2"),
    (nomic_bert, {"rotary_emb_fraction": 1.5}, CheckpointError, "rotary_emb_fraction is 1.5"),
]
NORM = "head.norm.weight"
UNTIED = {"tie_word_embeddings": False}
HEADED = [
    (nomic_bert.NOMIC_BERT, NOMIC, "cls.predictions.bias"),
    (nomic_bert.NOMIC_BERT, GPT_NAMES, None),
    (gte.GTE, GTE, "lm_head.decoder.bias"),
    (modernbert.MODERNBERT, MODERN, NORM),
    (modernbert.MODERNBERT, {**MODERN, "classifier_pooling": "mean"}, NORM),
    (modernbert.MODERNBERT, {**MODERN, "classifier_bias": True, "norm_bias": True}, NORM),
    (modernbert.MODERNBERT, {**MODERN, **UNTIED}, NORM),
    (modernbert.MODERNBERT, {**MODERN, "decoder_bias": False}, NORM),
    (modernbert.MODERNBERT, {**MODERN, **UNTIED, "decoder_bias": False}, NORM),
]


@pytest.mark.parametrize(("architecture", "config", "words"), HEADED, ids=lambda v: str(v)[:40])
def test_heads_read_the_weights_that_they_list(
    architecture: Architecture, config: dict[str, Any], words: str | None
) -> None:
    signs = {"SequenceClassification": 3, "TokenClassification": 5, "MaskedLM": 23}
    for task, outputs in signs.items():
        sign = words if task == "MaskedLM" else "classifier.bias"
        if sign is None:
            continue
        named = {**config, "architectures": [f"AnyFor{task}"]}
        found = find_head(architecture, named, {sign: 12 if sign == NORM else outputs})
        assert found is not None
        assert found.outputs == outputs
        own = found.head.weights(config, outputs)
        assert all(name.startswith(architecture.head_names) for name in own)
        shapes = {**architecture.weights(config), **own}
        read = {}

        def scan(name: str, shapes: Any = shapes, read: Any = read) -> Node:
            read[name] = shapes[name]
            return Input(TensorSchema.one_block(name, shapes[name]))

        hidden = architecture.build(config, scan)
        plan = head_plan(found.head, config, scan, hidden)
        assert read.keys() == shapes.keys()
        assert plan.schema.shape[1] == outputs


def test_masked_words_of_a_config_with_the_names_of_gpt2_are_refused() -> None:
    named = {**GPT_NAMES, "architectures": ["NomicBertForMaskedLM"]}
    found = find_head(nomic_bert.NOMIC_BERT, named, {"cls.predictions.bias": 23})
    assert found is not None
    with pytest.raises(UnsupportedError, match=r"names of GPT-2.*take architectures out of"):
        found.head.weights(named, found.outputs)


def test_a_pooling_that_is_not_known_is_refused() -> None:
    head = modernbert.HEADS["SequenceClassification"]
    with pytest.raises(CheckpointError, match="classifier_pooling is 'max'; expected 'cls' or"):
        head.pooling({**MODERN, "classifier_pooling": "max"})


GOOD = {gte: GTE, modernbert: MODERN, nomic_bert: GPT_NAMES}


@pytest.mark.parametrize(
    ("module", "change", "kind", "message"), REFUSED, ids=lambda v: str(v)[:40]
)
def test_configs_that_are_refused(
    module: Any, change: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=f"config.json: .*{message}"):
        token_encoder(module, {**GOOD[module], **change}, [2])
