"""DeBERTa of all versions against transformers, from files that transformers wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpudb.models.disentangled import vector_rows
from tests.oracles.conftest import Report
from tests.oracles.parity import compare_hidden, randomized

pytestmark = pytest.mark.oracle

LENGTHS = (1, 2, 7, 8, 9, 1, 60, 17)
BOTH = ["p2c", "c2p"]
THIRD = {
    "relative_attention": True,
    "pos_att_type": "p2c|c2p",
    "position_buckets": 8,
    "share_att_key": True,
    "norm_rel_ebd": "layer_norm",
    "position_biased_input": False,
    "max_relative_positions": -1,
}
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "third version": ("DebertaV2Model", THIRD, "float32"),
    "far beyond the last bucket": (
        "DebertaV2Model",
        {**THIRD, "position_buckets": 4, "max_relative_positions": 20},
        "float32",
    ),
    "own projections, a vector for each distance": (
        "DebertaV2Model",
        {"relative_attention": True, "pos_att_type": BOTH, "type_vocab_size": 2},
        "float32",
    ),
    "content to position only": (
        "DebertaV2Model",
        {**THIRD, "pos_att_type": ["c2p"], "embedding_size": 10},
        "float32",
    ),
    "position to content only": (
        "DebertaV2Model",
        {**THIRD, "pos_att_type": ["p2c"], "share_att_key": False},
        "float32",
    ),
    "no distances": ("DebertaV2Model", {"pos_att_type": BOTH}, "float32"),
    "a classifier in float16": ("DebertaV2ForSequenceClassification", THIRD, "float16"),
    "first version": (
        "DebertaModel",
        {"relative_attention": True, "pos_att_type": BOTH, "type_vocab_size": 0},
        "float32",
    ),
    "first version, nearer than texts are long": (
        "DebertaModel",
        {
            "relative_attention": True,
            "pos_att_type": BOTH,
            "max_relative_positions": 20,
            "position_biased_input": False,
            "type_vocab_size": 3,
        },
        "float32",
    ),
    "first version, content to position only": (
        "DebertaModel",
        {"relative_attention": True, "pos_att_type": ["c2p"], "type_vocab_size": 0},
        "bfloat16",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_hidden_states_are_those_of_transformers(name: str, tmp_path: Path, report: Report) -> None:
    transformers = pytest.importorskip("transformers")
    task, changes, dtype = CASES[name]
    first = not task.startswith("DebertaV2")
    config = getattr(transformers, "DebertaConfig" if first else "DebertaV2Config")(
        vocab_size=60,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=33,
        max_position_embeddings=64,
        initializer_range=0.3,
        **changes,
    )
    model = randomized(getattr(transformers, task)(config), seed=len(name))
    compare_hidden(
        tmp_path,
        model,
        encoder=getattr(model, "deberta", model),
        lengths=LENGTHS,
        report=report,
        dtype=dtype,
        types=config.type_vocab_size,
        first_id=1,
    )


@pytest.mark.parametrize(
    ("longest", "buckets"), [(512, 256), (512, 128), (64, 8), (20, 4), (5, 2), (20, 0), (1024, 500)]
)
def test_rows_are_those_of_transformers(longest: int, buckets: int) -> None:
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("transformers.models.deberta_v2.modeling_deberta_v2")
    tokens = torch.zeros(1, longest + 40, 1)
    to_query = theirs.build_relative_position(tokens, tokens, buckets or -1, longest)[0]
    span = buckets or longest
    expected = torch.clamp(to_query + span, 0, 2 * span - 1).numpy()
    places = np.arange(longest + 40)
    distances = np.clip(places - places[:, None], -longest, longest)
    np.testing.assert_array_equal(vector_rows(longest, buckets)[distances + longest], expected)
