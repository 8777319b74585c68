"""Encoders other than BERT as transformers wrote them from TensorFlow and from Flax."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpudb
from tests.oracles.conftest import Report
from tests.oracles.imported import LARGEST, LENGTHS

# Both frameworks warn while they are imported.
pytestmark = [pytest.mark.formats, pytest.mark.filterwarnings("ignore")]

SIZES = {
    "vocab_size": 31,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "max_position_embeddings": 20,
    "initializer_range": 0.3,
}
NARROW = {**SIZES, "embedding_size": 10}
CONFIGS: dict[str, dict[str, Any]] = {
    "Roberta": SIZES,
    "XLMRoberta": SIZES,
    "DistilBert": {
        "vocab_size": 31,
        "dim": 24,
        "n_layers": 2,
        "n_heads": 3,
        "hidden_dim": 40,
        "max_position_embeddings": 20,
    },
    "Electra": NARROW,
    "Albert": NARROW,
    "MPNet": SIZES,
    "DebertaV2": {
        **SIZES,
        "relative_attention": True,
        "pos_att_type": ["c2p", "p2c"],
        "share_att_key": True,  # as in all that were published; names in TensorFlow differ without
    },
    "T5": {"vocab_size": 31, "d_model": 24, "d_kv": 8, "d_ff": 40, "num_layers": 2, "num_heads": 3},
}
WITHOUT_TYPES = ("DistilBert", "MPNet", "DebertaV2", "T5")
NOT_IN_FLAX = ("MPNet", "DebertaV2")
CASES = [
    *(("TF", name) for name in CONFIGS),
    *(("Flax", name) for name in CONFIGS if name not in NOT_IN_FLAX),
]


def random_model(framework: str, name: str) -> Any:
    transformers = pytest.importorskip("transformers")
    transformers.set_seed(7)
    config = getattr(transformers, f"{name}Config")(**CONFIGS[name])
    kind = "EncoderModel" if name == "T5" else "Model"
    model = getattr(transformers, f"{framework}{name}{kind}")(config)
    rng = np.random.default_rng(7)
    if framework == "Flax":
        import jax

        model.params = jax.tree.map(
            lambda x: x + rng.normal(0, 0.1, x.shape).astype(x.dtype), model.params
        )
    else:
        model(np.ones((1, 2), np.int32))
        for weight in model.weights:
            weight.assign_add(rng.normal(0, 0.1, weight.shape))
    return model


@pytest.fixture(autouse=True)
def clip_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """T5 of transformers 4.57 names an argument as JAX no longer does."""
    jnp = pytest.importorskip("jax.numpy")
    clip = jnp.clip

    def clip_by_old_names(x: Any, *args: Any, **named: Any) -> Any:
        return clip(x, *args, **{key.removeprefix("a_"): value for key, value in named.items()})

    monkeypatch.setattr(jnp, "clip", clip_by_old_names)


@pytest.mark.parametrize(("framework", "name"), CASES)
def test_hidden_states_are_those_of_the_framework(
    framework: str, name: str, tmp_path: Path, report: Report
) -> None:
    model = random_model(framework, name)
    model.save_pretrained(tmp_path)
    offsets = np.cumsum([0, *LENGTHS])
    ids = np.random.default_rng(0).integers(3, 31, offsets[-1])  # padding would move positions
    inputs = {"token_ids": ids}
    if name not in WITHOUT_TYPES:
        inputs["type_ids"] = np.zeros_like(ids)
    names = {"token_ids": "input_ids", "type_ids": "token_type_ids"}
    expected = []
    for a, b in pairwise(offsets):
        one = {names[n]: values[None, a:b] for n, values in inputs.items()}
        expected.append(np.asarray(model(**one).last_hidden_state)[0])
    with gpudb.connect(device="numpy") as db:
        db.import_model(tmp_path, "m")
        found, _ = db.infer("m", inputs, offsets)
    difference = float(np.abs(found - np.concatenate(expected)).max())
    report(f"{difference:.2e}")
    assert difference <= LARGEST
