"""MPNet against transformers: random configurations, from files that transformers wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpudb.models.architectures.mpnet import BUCKETS, LONGEST
from gpudb.models.distances import distance_buckets
from tests.oracles.conftest import Report
from tests.oracles.parity import compare_hidden, randomized

pytestmark = pytest.mark.oracle

LENGTHS = (1, 2, 7, 8, 9, 1, 300, 17)
"""Up to distances beyond the last bucket."""


def _config(**changes: Any) -> Any:
    transformers = pytest.importorskip("transformers")
    usual = {
        "vocab_size": 60,
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 33,
        "max_position_embeddings": 302,
        "initializer_range": 0.3,
    }
    return transformers.MPNetConfig(**{**usual, **changes})


CASES: dict[str, tuple[str, dict[str, Any], str, tuple[int, int] | None]] = {
    "plain": ("MPNetModel", {}, "float32", None),
    "one head, another function": (
        "MPNetModel",
        {"num_attention_heads": 1, "hidden_act": "relu", "layer_norm_eps": 1e-5},
        "float32",
        (5, 3),
    ),
    "more buckets than are used": (
        "MPNetModel",
        {"relative_attention_num_buckets": 40},
        "float32",
        None,
    ),
    "a masked language model in float16": ("MPNetForMaskedLM", {}, "float16", (16, 16)),
    "a classifier in bfloat16": ("MPNetForSequenceClassification", {}, "bfloat16", None),
}


@pytest.mark.parametrize("name", CASES)
def test_hidden_states_are_those_of_transformers(name: str, tmp_path: Path, report: Report) -> None:
    transformers = pytest.importorskip("transformers")
    task, changes, dtype, block = CASES[name]
    model = randomized(getattr(transformers, task)(_config(**changes)), seed=len(name))
    # Larger numbers by distance than the weights': a wrong bucket is seen.
    base = getattr(model, "mpnet", model)
    base.encoder.relative_attention_bias.weight.data *= 5
    compare_hidden(
        tmp_path,
        model,
        encoder=base,
        lengths=LENGTHS,
        report=report,
        dtype=dtype,
        block=block,
        first_id=2,
    )


def test_buckets_are_those_of_transformers() -> None:
    torch = pytest.importorskip("torch")
    encoder = pytest.importorskip("transformers.models.mpnet.modeling_mpnet").MPNetEncoder
    distances = torch.arange(-LONGEST, LONGEST + 1)
    expected = encoder.relative_position_bucket(distances).numpy()
    np.testing.assert_array_equal(distance_buckets(BUCKETS, LONGEST), expected)
    far = encoder.relative_position_bucket(torch.tensor([-5000, 5000])).numpy()
    assert far.tolist() == [expected[0], expected[-1]]
