"""RoBERTa, DistilBERT, ELECTRA and ALBERT: random configurations that transformers wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gpudb
from tests.oracles.conftest import Report
from tests.oracles.parity import compare_hidden, randomized

pytestmark = pytest.mark.oracle

SIZES = {
    "vocab_size": 60,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "intermediate_size": 33,
    "max_position_embeddings": 40,
    "initializer_range": 0.3,
    "attn_implementation": "eager",
}
NARROW = {**SIZES, "embedding_size": 10}
DISTILBERT = {
    **{name: SIZES[name] for name in ("vocab_size", "max_position_embeddings")},
    "dim": 24,
    "n_layers": 3,
    "n_heads": 3,
    "hidden_dim": 33,
    "initializer_range": 0.3,
}
LENGTHS = (1, 2, 7, 8, 9, 1, 38, 17)

CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "roberta": ("RobertaModel", {"layer_norm_eps": 1e-5, "type_vocab_size": 1}, "float32"),
    "roberta, padding is 0": ("RobertaModel", {"pad_token_id": 0}, "float32"),
    "roberta with words": ("RobertaForMaskedLM", {}, "float16"),
    "xlm-roberta": ("XLMRobertaModel", {"hidden_act": "gelu_new"}, "float32"),
    "xlm-roberta classifier": ("XLMRobertaForSequenceClassification", {}, "bfloat16"),
    "camembert": ("CamembertModel", {}, "float32"),
    "distilbert": ("DistilBertModel", {}, "float32"),
    "distilbert, sinusoids": ("DistilBertModel", {"sinusoidal_pos_embds": True}, "float32"),
    "distilbert with words": ("DistilBertForMaskedLM", {"activation": "relu"}, "float16"),
    "distilbert classifier": ("DistilBertForSequenceClassification", {}, "bfloat16"),
    "electra": ("ElectraModel", {}, "float32"),
    "electra, as wide": ("ElectraModel", {"embedding_size": 24}, "float32"),
    "electra discriminator": ("ElectraForPreTraining", {}, "float16"),
    "electra with words": ("ElectraForMaskedLM", {}, "float32"),
    "albert": ("AlbertModel", {}, "float32"),
    "albert, groups": (
        "AlbertModel",
        {"num_hidden_groups": 2, "inner_group_num": 2, "num_hidden_layers": 5},
        "float32",
    ),
    "albert with words": ("AlbertForMaskedLM", {"hidden_act": "relu"}, "float16"),
    "albert classifier": ("AlbertForSequenceClassification", {}, "bfloat16"),
}


def _model(task: str, changes: dict[str, Any], seed: int) -> Any:
    transformers = pytest.importorskip("transformers")
    kind = getattr(transformers, task)
    usual = DISTILBERT if "Distil" in task else NARROW if task[0] in "EA" else SIZES
    return randomized(kind(kind.config_class(**{**usual, **changes})), seed)


@pytest.mark.parametrize("name", CASES)
def test_hidden_states_are_those_of_transformers(name: str, tmp_path: Path, report: Report) -> None:
    task, changes, dtype = CASES[name]
    model = _model(task, changes, len(name))
    compare_hidden(
        tmp_path,
        model,
        encoder=model.base_model,
        lengths=LENGTHS,
        report=report,
        dtype=dtype,
        block=(16, 16) if dtype == "bfloat16" else None,
        first_id=2,  # padding changes how transformers counts places
        types=0 if task.startswith("Distil") else model.config.type_vocab_size,
    )


def test_shared_layers_are_stored_once(tmp_path: Path) -> None:
    models = {n: _model("AlbertModel", {"num_hidden_layers": n}, 1) for n in (1, 7)}
    nbytes = {}
    for layers, model in models.items():
        model.save_pretrained(tmp_path / f"{layers}")
        with gpudb.connect(":memory:", device="null") as db:
            nbytes[layers] = db.import_model(tmp_path / f"{layers}", "m").nbytes
    assert nbytes[1] == nbytes[7] > 0
