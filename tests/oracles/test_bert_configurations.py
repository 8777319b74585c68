"""Random BERT configurations against transformers, from files that transformers wrote."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpudb
from tests.oracles.conftest import Report

# Hidden states after layer-norm are of the order of 1. Both sides round the same stored weights
# (float16 and bfloat16 are widened exactly) and compute in float32, in another order.
LARGEST = 1e-4

LENGTHS = (1, 2, 3, 7, 8, 9, 17, 1, 24)


@dataclass(frozen=True)
class Case:
    """One configuration and how it is written."""

    config: dict[str, Any]
    dtype: str
    shard: bool
    """In several files with an index."""
    task: str
    """The class that writes it: a bare encoder, or one with prefix ``bert.`` and a head."""
    block: tuple[int, int] | None
    """Blocks the weights are cut into."""
    seed: int


def _case(seed: int) -> Case:
    # Turns through what must occur; the rest is random but the same in every run.
    rng = random.Random(seed)
    heads = rng.choice([1, 2, 3, 5, 8])
    config = {
        "vocab_size": rng.randint(5, 90),
        "hidden_size": heads * rng.choice([2, 4, 6, 7, 12]),
        "num_hidden_layers": rng.randint(1, 4),
        "num_attention_heads": heads,
        "intermediate_size": rng.choice([1, 7, 33, 64, 130]),
        "hidden_act": ("gelu", "gelu_new", "relu")[seed % 3],
        "type_vocab_size": (2, 1, 3)[seed // 3 % 3],
        "max_position_embeddings": rng.randint(max(LENGTHS), 60),
        "layer_norm_eps": rng.choice([1e-12, 1e-5, 1e-2]),
        "pad_token_id": 0,
        "attn_implementation": "eager",
        "initializer_range": 0.3,
    }
    dtype = ("float32", "float16", "bfloat16")[seed // 2 % 3]
    task = ("BertModel", "BertForMaskedLM", "BertForSequenceClassification")[seed // 4 % 3]
    block = (None, (16, 16), (5, 3), (1, 64), (1000, 1000))[seed % 5]
    return Case(config, dtype, seed % 4 == 1, task, block, seed)


CASES = [_case(seed) for seed in range(30)]


@pytest.mark.oracle
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.seed}-{case.dtype}-{case.task}")
def test_hidden_states_are_those_of_transformers(
    case: Case, tmp_path: Path, report: Report
) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(case.seed)
    written = getattr(transformers, case.task)(transformers.BertConfig(**case.config))
    for name, weight in written.named_parameters():
        if "bias" in name or "LayerNorm" in name:  # zeros and ones would hide a mistake
            weight.data.add_(torch.randn_like(weight), alpha=0.2)
    written.to(getattr(torch, case.dtype))
    # A fixed size would leave the smallest models whole.
    nbytes = sum(w.nbytes for w in written.parameters())
    size = {"max_shard_size": nbytes // 3} if case.shard else {}
    written.save_pretrained(tmp_path / "model", **size)
    assert case.shard == (tmp_path / "model" / "model.safetensors.index.json").exists()
    assert case.shard == (len(list((tmp_path / "model").glob("*.safetensors"))) > 1)

    theirs = (written if case.task == "BertModel" else written.bert).float().eval()
    ids, types, offsets = _sequences(case)
    expected = []
    with torch.inference_mode():
        for start, stop in pairwise(offsets):
            one = {
                "input_ids": torch.tensor(ids[None, start:stop]),
                "token_type_ids": torch.tensor(types[None, start:stop]),
            }
            expected.append(theirs(**one).last_hidden_state[0].numpy())

    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(tmp_path / "model", "m", block=case.block)
        stored = db.sql("SELECT DISTINCT dtype FROM gpudb.tensors WHERE model = 'm'").fetchall()
        assert stored == [(case.dtype,)]
        ours, statistics = db.infer("m", {"token_ids": ids, "type_ids": types}, offsets)
    assert statistics.padded_tokens == 0
    difference = float(np.abs(ours - np.concatenate(expected)).max())
    report(f"{difference:.2e}")
    assert difference <= LARGEST


def _sequences(case: Case) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(case.seed)
    offsets = np.cumsum([0, *LENGTHS])
    ids = rng.integers(0, case.config["vocab_size"], offsets[-1])
    types = rng.integers(0, case.config["type_vocab_size"], offsets[-1])
    return ids, types, offsets
