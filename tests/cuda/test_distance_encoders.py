"""Encoders whose scores depend on distances, from files to hidden states, over the stand-ins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import gpudb
from gpudb.models.architectures import deberta, mpnet, t5
from tests.tiny_plans import DEBERTA_CONFIG, MPNET_CONFIG, T5_CONFIG, offsets_of

MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "mpnet": (mpnet, {**MPNET_CONFIG, "model_type": "mpnet"}),
    "t5": (t5, {**T5_CONFIG, "feed_forward_proj": "gated-gelu"}),
    "deberta": (deberta, {**DEBERTA_CONFIG, "position_biased_input": False, "type_vocab_size": 0}),
    "first deberta": (deberta, {**DEBERTA_CONFIG, "model_type": "deberta"}),
}
PRECISIONS = {"float32": 1e-5, "float16": 2e-2}
"""Largest difference of hidden states, which are of the order of 1."""

BATCHES = ([5, 3], [4, 4], [7, 1], [1])
"""The first three have as many rows and sequences, but not pairs of rows."""


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", MODELS)
def test_hidden_states_are_those_of_numpy(name: str, precision: str, tmp_path: Path) -> None:
    from tests.cuda.standin.install import standin

    module, config = MODELS[name]
    random = np.random.default_rng(len(name))
    weights = {
        n: (0.3 * random.standard_normal(shape)).astype(np.float32)
        for n, shape in module.weights(config).items()
    }
    save_file(weights, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config))
    batches = []
    for lengths in BATCHES:
        offsets = offsets_of(lengths)
        batches.append(({"token_ids": random.integers(0, 23, offsets[-1])}, offsets))
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(tmp_path, "m")
        expected = [db.infer("m", *batch)[0] for batch in batches]
    with standin(), gpudb.connect(tmp_path / "db", device="cuda", precision=precision) as db:
        found = [db.infer("m", *batch)[0] for batch in batches]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=PRECISIONS[precision])
