"""RoBERTa, DistilBERT, ELECTRA and ALBERT without transformers: their weights, names and limits."""

from __future__ import annotations

from typing import Any

import pytest

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.architecture import Architecture
from gpudb.models.architectures.albert import ALBERT
from gpudb.models.architectures.distilbert import DISTILBERT
from gpudb.models.architectures.electra import ELECTRA
from gpudb.models.architectures.roberta import ROBERTA
from gpudb.plan.node import walk
from gpudb.plan.reshape import Slice
from gpudb.plan.tensor import Gather, Input, Scan
from gpudb.types import TensorSchema
from tests.tiny_plans import BERT_CONFIG

NARROW = {**BERT_CONFIG, "embedding_size": 5}
CONFIGS: dict[str, tuple[Architecture, dict[str, Any]]] = {
    "roberta": (ROBERTA, {**BERT_CONFIG, "pad_token_id": 1, "type_vocab_size": 1}),
    "distilbert": (
        DISTILBERT,
        {
            "vocab_size": 11, "max_position_embeddings": 9, "dim": 8, "n_layers": 2, "n_heads": 2,
            "hidden_dim": 12, "activation": "gelu",
        },
    ),
    "electra": (ELECTRA, NARROW),
    "electra as wide": (ELECTRA, {**NARROW, "embedding_size": BERT_CONFIG["hidden_size"]}),
    "albert": (
        ALBERT,
        {**NARROW, "num_hidden_layers": 5, "num_hidden_groups": 2, "inner_group_num": 2},
    ),
}  # fmt: skip


def _plan(architecture: Architecture, config: dict[str, Any]) -> Any:
    shapes = architecture.weights(config)
    return architecture.build(
        config, lambda name: Scan(TensorSchema(name, shapes[name], shapes[name]))
    )


@pytest.mark.parametrize("name", CONFIGS)
def test_a_plan_reads_every_weight_and_nothing_else(name: str) -> None:
    architecture, config = CONFIGS[name]
    plan = _plan(architecture, config)
    read = {n.tensor.name for n in walk(plan) if isinstance(n, Scan)}
    assert read == set(architecture.weights(config))
    inputs = {n.tensor.name for n in walk(plan) if isinstance(n, Input)}
    types = set() if name == "distilbert" else {"type_ids"}
    assert inputs == {"token_ids", "position_ids", "sequences"} | types
    assert plan.schema.shape == ("tokens", 8)


@pytest.mark.parametrize("padding", [0, 1, 5])
def test_the_first_token_of_roberta_has_the_row_behind_the_padding_id(padding: int) -> None:
    config = {**CONFIGS["roberta"][1], "pad_token_id": padding}
    rows = config["max_position_embeddings"]
    (table,) = (
        n.table for n in walk(_plan(ROBERTA, config))
        if isinstance(n, Gather) and isinstance(n.rows, Input)
        and n.rows.tensor.name == "position_ids"
    )  # fmt: skip
    assert isinstance(table, Slice)
    assert table.starts == (padding + 1, 0)
    assert table.schema.shape == (rows - padding - 1, 8)
    assert ROBERTA.positions(config) == rows - padding - 1


@pytest.mark.parametrize("name", ["distilbert", "electra", "albert"])
def test_others_have_a_place_for_every_row(name: str) -> None:
    architecture, config = CONFIGS[name]
    assert architecture.positions(config) == config["max_position_embeddings"]


@pytest.mark.parametrize("depth", [2, 3, 7])
def test_albert_has_as_many_weights_however_deep_it_is(depth: int) -> None:
    _, config = CONFIGS["albert"]
    assert ALBERT.weights({**config, "num_hidden_layers": depth}) == ALBERT.weights(config)


@pytest.mark.parametrize(
    ("architecture", "found", "name"),
    [
        (ROBERTA, "roberta.encoder.layer.0.output.dense.bias", "encoder.layer.0.output.dense.bias"),
        (ROBERTA, "roberta.embeddings.position_ids", None),
        (DISTILBERT, "distilbert.embeddings.LayerNorm.bias", "embeddings.LayerNorm.bias"),
        (ELECTRA, "electra.embeddings_project.bias", "embeddings_project.bias"),
        (ALBERT, "albert.embeddings.position_ids", None),
        (ALBERT, "albert.encoder.x", "encoder.x"),
    ],
)
def test_names_in_other_checkpoints(
    architecture: Architecture, found: str, name: str | None
) -> None:
    assert architecture.rename(found) == name


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("roberta", {"pad_token_id": None}, "pad_token_id is None"),
        ("roberta", {"pad_token_id": -1}, "pad_token_id is -1"),
        ("roberta", {"pad_token_id": 100}, "max_position_embeddings is .* of at least 102"),
        ("distilbert", {"n_heads": 3}, "n_heads is 3, which does not divide the width 8"),
        ("distilbert", {"n_heads": 0}, "n_heads is 0"),
        ("distilbert", {"activation": "maxout"}, "activation is 'maxout'"),
        ("electra", {"embedding_size": 0}, "embedding_size is 0"),
        ("albert", {"num_hidden_groups": 6}, "num_hidden_groups is 6; expected at most"),
        ("albert", {"inner_group_num": 0}, "inner_group_num is 0"),
        ("albert", {"inner_group_num": 10**9}, "inner_group_num is 1000000000"),
        ("albert", {"inner_group_num": 1000}, "num_hidden_layers times inner_group_num is 5,000"),
    ],
)
def test_configs_that_cannot_be(name: str, change: dict[str, Any], message: str) -> None:
    architecture, config = CONFIGS[name]
    with pytest.raises(CheckpointError, match=f"config.json: {message}"):
        _plan(architecture, {**config, **change})


@pytest.mark.parametrize("name", ["roberta", "electra", "albert"])
@pytest.mark.parametrize(
    "change", [{"is_decoder": True}, {"position_embedding_type": "relative_key"}]
)
def test_what_is_not_computed(name: str, change: dict[str, Any]) -> None:
    architecture, config = CONFIGS[name]
    with pytest.raises(UnsupportedError, match=next(iter(change))):
        _plan(architecture, {**config, **change})
