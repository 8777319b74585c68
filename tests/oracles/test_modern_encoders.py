"""ModernBERT, NomicBERT and GTE against transformers, from files that transformers wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpudb
from tests.oracles.conftest import Report
from tests.oracles.parity import LARGEST, compare_hidden, randomized

pytestmark = pytest.mark.oracle

LONGEST = 48
LENGTHS = (1, 2, 3, 7, 8, 17, LONGEST)
SIZES: dict[str, Any] = {
    "vocab_size": 61,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "max_position_embeddings": LONGEST,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "initializer_range": 0.2,
    "attn_implementation": "eager",
}
MODERN: dict[str, Any] = {**SIZES, "cls_token_id": 1, "sep_token_id": 2, "local_attention": 8}
BIASED = {"norm_bias": True, "attention_bias": True, "mlp_bias": True}
CASES: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "modernbert": ("ModernBert", "Model", MODERN, {}),
    "modernbert, float16": ("ModernBert", "Model", MODERN, {"dtype": "float16"}),
    "modernbert, masked words, biased": ("ModernBert", "ForMaskedLM", {**MODERN, **BIASED}, {}),
    "modernbert, odd windows, by blocks": (
        "ModernBert",
        "ForTokenClassification",
        {**MODERN, "local_attention": 5, "global_attn_every_n_layers": 2},
        {"block": (7, 5)},
    ),
    "modernbert, windows of one token": (
        "ModernBert",
        "Model",
        {**MODERN, "local_attention": 1, "hidden_activation": "silu"},
        {},
    ),
    "nomic": ("NomicBert", "Model", SIZES, {"types": 2}),
    "nomic, bfloat16": ("NomicBert", "Model", SIZES, {"types": 2, "dtype": "bfloat16"}),
    "nomic, masked words": (
        "NomicBert",
        "ForMaskedLM",
        {**SIZES, "hidden_act": "gelu", "rope_parameters": {"rope_theta": 10_000.0}},
        {"types": 2},
    ),
    "gte": ("Gte", "Model", SIZES, {"types": 1}),
    "gte, float16": ("Gte", "Model", SIZES, {"types": 1, "dtype": "float16"}),
    "gte, classes, no types": (
        "Gte",
        "ForSequenceClassification",
        {**SIZES, "type_vocab_size": 0, "rope_parameters": {"rope_theta": 500.0}},
        {"block": (9, 4)},
    ),
}


def written(name: str, task: str, config: dict[str, Any]) -> tuple[Any, Any]:
    """A random model with a head or without, and its encoder."""
    transformers = pytest.importorskip("transformers")
    import torch

    torch.manual_seed(len(config))
    settings = getattr(transformers, f"{name}Config")(**config)
    model = randomized(getattr(transformers, name + task)(settings), seed=3)
    return model, model if task == "Model" else getattr(model, model.base_model_prefix)


@pytest.mark.parametrize("case", CASES)
def test_hidden_states_are_those_of_transformers(case: str, tmp_path: Path, report: Report) -> None:
    name, task, config, options = CASES[case]
    model, encoder = written(name, task, config)
    compare_hidden(
        tmp_path, model, lengths=LENGTHS, report=report, encoder=encoder, first_id=1, **options
    )


def test_a_config_with_the_names_of_gpt2_means_the_same(tmp_path: Path) -> None:
    model, _ = written("NomicBert", "Model", SIZES)
    folder = tmp_path / "model"
    model.save_pretrained(folder)
    ids, offsets = np.arange(20) % 60, np.array([0, 1, 20])
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(folder, "present")
        old = {
            "model_type": "nomic_bert",
            "vocab_size": 61,
            "n_embd": 24,
            "n_inner": 40,
            "n_layer": 3,
            "n_head": 2,
            "n_positions": LONGEST,
            "layer_norm_epsilon": 1e-12,
            "type_vocab_size": 2,
            "activation_function": "swiglu",
            "prenorm": False,
            "rotary_emb_base": 1000,
            "rotary_emb_fraction": 1.0,
            "rotary_emb_interleaved": False,
            "rotary_scaling_factor": None,
            **dict.fromkeys(("qkv_proj_bias", "mlp_fc1_bias", "mlp_fc2_bias"), False),
        }
        (folder / "config.json").write_text(json.dumps(old))
        db.import_model(folder, "old")
        present, found = (db.infer(n, {"token_ids": ids}, offsets)[0] for n in ("present", "old"))
    np.testing.assert_array_equal(found, present)


def test_over_blocks_windows_hide_the_same(tmp_path: Path, report: Report) -> None:
    model, _ = written("ModernBert", "Model", MODERN)
    model.save_pretrained(tmp_path / "model")
    ids, offsets = np.arange(1, 41), np.array([0, 3, 40])
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(tmp_path / "model", "m")
        fused, _ = db.infer("m", {"token_ids": ids}, offsets)
        db.set(execution="relational", block_size=5)
        found, _ = db.infer("m", {"token_ids": ids}, offsets)
    difference = float(np.abs(found - fused).max())
    report(f"{difference:.2e}")
    assert difference <= LARGEST
