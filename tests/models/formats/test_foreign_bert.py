"""BERT in the names and the layout of other frameworks is the same model, to the last block."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import gpudb
from gpudb.errors import CheckpointError
from gpudb.types import HostArray
from tests.models.tensorflow_files import bundle
from tests.tiny_model import CONFIG, WORDS, tiny_weights, write_tiny_model

Arrays = dict[str, HostArray]


def google_names(weights: Arrays) -> Arrays:
    """As in the checkpoints that came with the paper."""
    found = {"global_step": np.array(3, np.int64)}
    for name, values in weights.items():
        *path, kind = name.replace("layer.", "layer_").split(".")
        stem = "/".join(["bert", *path])
        if path[-1] == "LayerNorm":
            found[f"{stem}/{'gamma' if kind == 'weight' else 'beta'}"] = values
        elif path[-1].endswith("embeddings"):
            found[stem] = values
        elif kind == "weight":
            found[f"{stem}/kernel"] = values.T
        else:
            found[f"{stem}/{kind}"] = values
    return found


def flax_names(weights: Arrays) -> Arrays:
    """As in the safetensors files that transformers writes from Flax."""
    found = {}
    for name, values in weights.items():
        stem, _, kind = name.rpartition(".")
        if kind == "bias":
            found[name] = values
        elif stem.endswith("LayerNorm"):
            found[f"{stem}.scale"] = values
        elif stem.endswith("embeddings"):
            found[f"{stem}.embedding"] = values
        else:
            found[f"{stem}.kernel"] = np.ascontiguousarray(values.T)
    return found


def write_google(weights: Arrays, folder: Path) -> None:
    bundle(google_names(weights), shards=2).write(folder, "bert_model.ckpt")
    settings = {key: value for key, value in CONFIG.items() if key != "model_type"}
    (folder / "bert_config.json").write_text(json.dumps(settings))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")


def write_flax(weights: Arrays, folder: Path) -> None:
    save_file(flax_names(weights), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")


@pytest.mark.parametrize("write", [write_google, write_flax])
def test_the_same_blocks_are_stored(write: Callable[[Arrays, Path], None], tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model")
    (tmp_path / "foreign").mkdir()
    write(tiny_weights(), tmp_path / "foreign")
    with gpudb.connect(device="numpy") as db:
        first = db.import_model(tmp_path / "model", "ours")
        again = db.import_model(tmp_path / "foreign", "theirs")
        assert again.new_nbytes == 0
        assert again.tensors == first.tensors
        assert set(again.ignored) <= {"global_step"}


def test_a_kernel_of_another_shape(tmp_path: Path) -> None:
    weights = google_names(tiny_weights())
    kernel = "bert/encoder/layer_0/intermediate/dense/kernel"
    weights[kernel] = weights[kernel].T
    write_google(tiny_weights(), tmp_path)
    bundle(weights, shards=2).write(tmp_path, "bert_model.ckpt")
    with (
        gpudb.connect(device="numpy") as db,
        pytest.raises(CheckpointError, match=rf"misshapen: {kernel} is \[24, 40\], expected \[40"),
    ):
        db.import_model(tmp_path, "m")
