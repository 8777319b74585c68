"""Encoders of the T5 family against transformers, from files that transformers wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpudb.models.distances import distance_buckets
from tests.oracles.conftest import Report
from tests.oracles.parity import compare_hidden, randomized

pytestmark = pytest.mark.oracle

LENGTHS = (1, 2, 7, 8, 9, 1, 200, 17)
SIZES = {
    "vocab_size": 60,
    "d_model": 24,
    "d_kv": 5,  # three heads of 5 are not 24 wide
    "num_heads": 3,
    "d_ff": 33,
    "num_layers": 3,
    "num_decoder_layers": 1,
}
CASES: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "an encoder": ("T5EncoderModel", "T5Config", {}, "float32"),
    "gated": ("T5EncoderModel", "T5Config", {"feed_forward_proj": "gated-gelu"}, "float32"),
    "gated by another function": (
        "T5EncoderModel",
        "T5Config",
        {"feed_forward_proj": "gated-silu", "layer_norm_epsilon": 1e-2},
        "float32",
    ),
    "few buckets, far": (
        "T5EncoderModel",
        "T5Config",
        {"relative_attention_num_buckets": 6, "relative_attention_max_distance": 150},
        "float32",
    ),
    "with a decoder": ("T5ForConditionalGeneration", "T5Config", {}, "float32"),
    "mT5, in float16": (
        "MT5EncoderModel",
        "MT5Config",
        {"feed_forward_proj": "gated-gelu"},
        "float16",
    ),
    "UMT5, in bfloat16": ("UMT5EncoderModel", "UMT5Config", {}, "bfloat16"),
}


@pytest.mark.parametrize("name", CASES)
def test_hidden_states_are_those_of_transformers(name: str, tmp_path: Path, report: Report) -> None:
    transformers = pytest.importorskip("transformers")
    task, config, changes, dtype = CASES[name]
    settings = getattr(transformers, config)(**SIZES, **changes)
    model = randomized(getattr(transformers, task)(settings), seed=len(name))
    encoder = model.encoder if task == "T5ForConditionalGeneration" else model
    compare_hidden(tmp_path, model, encoder=encoder, lengths=LENGTHS, report=report, dtype=dtype)


@pytest.mark.parametrize(("buckets", "longest"), [(32, 128), (32, 9), (6, 150), (5, 3), (64, 800)])
def test_buckets_are_those_of_transformers(buckets: int, longest: int) -> None:
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("transformers.models.t5.modeling_t5").T5Attention
    distances = torch.arange(-longest, longest + 1)
    arguments = {"num_buckets": buckets, "max_distance": longest}
    expected = theirs._relative_position_bucket(distances, **arguments).numpy()
    np.testing.assert_array_equal(distance_buckets(buckets, longest), expected)
    far = theirs._relative_position_bucket(torch.tensor([-(10**6), 10**6]), **arguments)
    assert far.tolist() == [expected[0], expected[-1]]
