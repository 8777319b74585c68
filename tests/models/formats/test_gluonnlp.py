"""BERT under the names of GluonNLP: translated, and against GluonNLP where it is installed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import gpudb
from gpudb.errors import CheckpointError
from gpudb.types import HostArray
from tests.models.formats.test_mxnet import record, written
from tests.tiny_model import HEAD_CONFIG, WORDS, tiny_head_weights, tiny_weights

LARGEST = 1e-5
"""Float32 on both sides, in another order."""
NAMES = {
    "embeddings.word_embeddings.weight": "word_embed.0.weight",
    "embeddings.token_type_embeddings.weight": "token_type_embed.0.weight",
    "embeddings.position_embeddings.weight": "encoder.position_weight",
    "embeddings.LayerNorm.weight": "encoder.layer_norm.gamma",
    "embeddings.LayerNorm.bias": "encoder.layer_norm.beta",
    "pooler.dense.weight": "pooler.weight",
    "pooler.dense.bias": "pooler.bias",
    "classifier.weight": "classifier.1.weight",
    "classifier.bias": "classifier.1.bias",
    "attention.self.query.weight": "attention_cell.proj_query.weight",
    "attention.self.query.bias": "attention_cell.proj_query.bias",
    "attention.self.key.weight": "attention_cell.proj_key.weight",
    "attention.self.key.bias": "attention_cell.proj_key.bias",
    "attention.self.value.weight": "attention_cell.proj_value.weight",
    "attention.self.value.bias": "attention_cell.proj_value.bias",
    "attention.output.dense.weight": "proj.weight",
    "attention.output.dense.bias": "proj.bias",
    "attention.output.LayerNorm.weight": "layer_norm.gamma",
    "attention.output.LayerNorm.bias": "layer_norm.beta",
    "intermediate.dense.weight": "ffn.ffn_1.weight",
    "intermediate.dense.bias": "ffn.ffn_1.bias",
    "output.dense.weight": "ffn.ffn_2.weight",
    "output.dense.bias": "ffn.ffn_2.bias",
    "output.LayerNorm.weight": "ffn.layer_norm.gamma",
    "output.LayerNorm.bias": "ffn.layer_norm.beta",
}


def write_settings(folder: Path, task: str) -> None:
    folder.mkdir(exist_ok=True)
    settings = {**HEAD_CONFIG, "architectures": [f"BertFor{task}"]}
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "vocab.txt").write_text("\n".join((*WORDS, "[MASK]")) + "\n")


def in_gluonnlp(weights: dict[str, HostArray]) -> dict[str, HostArray]:
    """As a ``BERTClassifier`` has them."""
    found = {}
    for name, values in weights.items():
        before, layer, after = name.partition("encoder.layer.")
        if layer:
            number, _, step = after.partition(".")
            found[f"bert.encoder.transformer_cells.{number}.{NAMES[step]}"] = values
        else:
            found["bert." * (not before.startswith("classifier")) + NAMES[name]] = values
    return found


def test_the_same_blocks_are_stored(tmp_path: Path) -> None:
    task = "SequenceClassification"
    weights = tiny_weights(**HEAD_CONFIG) | tiny_head_weights(task, 3)
    for folder in ("ours", "theirs"):
        write_settings(tmp_path / folder, task)
    save_file(weights, tmp_path / "ours" / "model.safetensors")
    records = {name: record(values, 0) for name, values in in_gluonnlp(weights).items()}
    (tmp_path / "theirs" / "bert.params").write_bytes(written(records))
    with gpudb.connect(device="numpy") as db:
        first = db.import_model(tmp_path / "ours", "ours")
        again = db.import_model(tmp_path / "theirs", "theirs")
        assert (again.format, again.head, again.new_nbytes) == ("MXNet params", "classify", 0)
        assert (again.tensors, again.ignored) == (first.tensors, ())
        texts = ["the cat sat", "a dog"]
        found = [db.classify(name, texts).fetchall() for name in ("ours", "theirs")]
    assert found[0] == found[1]


def test_a_name_that_nobody_knows(tmp_path: Path) -> None:
    write_settings(tmp_path, "SequenceClassification")
    weights = in_gluonnlp(tiny_weights(**HEAD_CONFIG))
    weights["encoder.transformer_cells.0.gate.weight"] = np.zeros((2, 2), np.float32)
    (tmp_path / "m.params").write_bytes(written({n: record(w, 0) for n, w in weights.items()}))
    with (
        gpudb.connect(device="numpy") as db,
        pytest.raises(CheckpointError, match=r"unexpected: encoder.transformer_cells.0.gate"),
    ):
        db.import_model(tmp_path, "m")


SAVE = """
import json, sys
import mxnet as mx
import numpy as np
from gluonnlp.model.bert import BERTEncoder, BERTModel

params, arrays, config = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
given = np.load(arrays)
width = config["hidden_size"]
encoder = BERTEncoder(
    num_layers=config["num_hidden_layers"],
    units=width,
    hidden_size=config["intermediate_size"],
    max_length=config["max_position_embeddings"],
    num_heads=config["num_attention_heads"],
    dropout=0.1,
)
model = BERTModel(encoder, config["vocab_size"], config["type_vocab_size"], width, width)
mx.random.seed(3)
model.initialize(mx.init.Normal(0.3))

def run(ids, types, places):
    length = np.array(len(ids))
    inputs = (mx.nd.array(x[None]) for x in (ids, types, length, places))
    states, _, _, words = model(*inputs)
    return states.asnumpy()[0], mx.nd.softmax(words).asnumpy()[0]

places = np.array([given["place"]])
run(given["ids"][:4], given["types"][:4], places)  # shapes are known after this
rng = np.random.default_rng(3)
for parameter in model.collect_params().values():
    noise = rng.normal(0, 0.1, parameter.shape).astype(np.float32)
    parameter.set_data(parameter.data() + mx.nd.array(noise))
model.save_parameters(params)
parts = list(zip(given["offsets"], given["offsets"][1:]))
states = [run(given["ids"][a:b], given["types"][a:b], places * 0)[0] for a, b in parts]
_, (likely,) = run(given["masked"], given["masked"] * 0, places)
np.savez(arrays, states=np.concatenate(states), likely=likely)
"""


@pytest.mark.formats
def test_hidden_states_and_words_are_those_of_gluonnlp(tmp_path: Path) -> None:
    """GluonNLP runs where MXNet does, see ``test_mxnet.py``."""
    python = os.environ.get("GPUDB_MXNET_PYTHON")
    if python is None:
        pytest.skip("GPUDB_MXNET_PYTHON names no Python with MXNet and GluonNLP")
    vocabulary = [*WORDS, "[MASK]"]
    text = ["[CLS]", "the", "[MASK]", "sat", "[SEP]"]
    rng = np.random.default_rng(0)
    offsets = np.cumsum([0, 7, 1, 12, 2])
    ids = rng.integers(0, len(vocabulary), offsets[-1])
    types = rng.integers(0, 2, offsets[-1])
    masked = np.array([vocabulary.index(word) for word in text])
    write_settings(tmp_path, "MaskedLM")
    arrays = tmp_path / "arrays.npz"
    np.savez(arrays, ids=ids, types=types, offsets=offsets, masked=masked, place=2)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    arguments = [tmp_path / "bert.params", arrays, json.dumps(HEAD_CONFIG)]
    subprocess.run([python, "-W", "ignore", "-c", SAVE, *arguments], check=True, env=environment)
    with np.load(arrays) as saved:
        expected, likely = saved["states"], saved["likely"]
    arrays.unlink()  # another format of weights
    with gpudb.connect(device="numpy") as db:
        report = db.import_model(tmp_path, "m")
        assert (report.format, report.head) == ("MXNet params", "fill_mask")
        found, _ = db.infer("m", {"token_ids": ids, "type_ids": types}, offsets)
        ((words,),) = db.fill_mask("m", ["the [MASK] sat"], top=len(vocabulary)).fetchall()
    assert np.abs(found - expected).max() <= LARGEST
    by_word = {word["token"]: word["probability"] for word in words}
    np.testing.assert_allclose([by_word[word] for word in vocabulary], likely, atol=LARGEST)
