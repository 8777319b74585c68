"""What comparisons with weights of other frameworks share: one small BERT, and what is compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import gpudb
from gpudb.types import HostArray

CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "vocab_size": 31,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "hidden_act": "gelu",
    "type_vocab_size": 2,
    "max_position_embeddings": 17,
    "layer_norm_eps": 1e-5,
    "initializer_range": 0.3,
    "pad_token_id": 0,
}
LARGEST = 1e-4
LENGTHS = (7, 1, 17, 1)  # few different ones: JAX compiles for each

HiddenStates = Callable[[HostArray, HostArray], HostArray]
"""Token ids and type ids ``(1, tokens)`` -> hidden states ``(1, tokens, width)``."""


def write_config(folder: Path, name: str = "config.json", **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps({**CONFIG, **changes}))
    return folder


def largest_difference(
    folder: Path, weights: Mapping[str, HostArray], hidden: HiddenStates, format_name: str
) -> float:
    """Import ``folder``; check the bits of its weights and give the difference of hidden states.

    ``weights`` are the framework's own numbers in PyTorch's layout, under our names.
    """
    rng = np.random.default_rng(0)
    offsets = np.cumsum([0, *LENGTHS])
    ids = rng.integers(0, CONFIG["vocab_size"], offsets[-1])
    types = rng.integers(0, CONFIG["type_vocab_size"], offsets[-1])
    expected = np.concatenate(
        [hidden(ids[None, a:b], types[None, a:b])[0] for a, b in pairwise(offsets)]
    )
    with gpudb.connect(device="numpy") as db:
        report = db.import_model(folder, "m")
        assert report.format == format_name
        assert report.tensors >= len(weights)  # those of a head come on top
        for name, values in weights.items():
            stored = db.tensor(name, model="m").collect()
            np.testing.assert_array_equal(stored, values, strict=True)
        found, _ = db.infer("m", {"token_ids": ids, "type_ids": types}, offsets)
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max())
