"""Weights of TensorFlow in every file it writes, against TensorFlow's own hidden states."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpudb.types import HostArray
from tests.oracles.conftest import Report
from tests.oracles.imported import CONFIG, LARGEST, largest_difference, write_config

# Both frameworks warn while they are imported.
pytestmark = [pytest.mark.formats, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module", params=["built", "called"])
def model(request: pytest.FixtureRequest) -> Any:
    """A random BERT of transformers in TensorFlow: bare, or with a head and called once.

    The names of variables that a call makes begin with the model's.
    """
    transformers = pytest.importorskip("transformers")
    transformers.set_seed(7)
    config = transformers.BertConfig(**CONFIG)
    if request.param == "built":
        model = transformers.TFBertModel(config)
        model.build()
    else:
        model = transformers.TFBertForMaskedLM(config)
        model(np.ones((1, 2), np.int32))
    rng = np.random.default_rng(7)
    for weight in model.weights:  # zeros and ones would hide a mistake
        if len(weight.shape) == 1:
            weight.assign_add(rng.normal(0, 0.2, weight.shape))
    return model


def hidden_states(model: Any) -> Callable[[HostArray, HostArray], HostArray]:
    def hidden(ids: HostArray, types: HostArray) -> HostArray:
        return model.bert(input_ids=ids, token_type_ids=types).last_hidden_state.numpy()

    return hidden


def encoder_weights(model: Any) -> dict[str, HostArray]:
    """PyTorch's names and layout, written out by hand for this one architecture."""
    found = {}
    for weight in model.bert.weights:
        path = path_in_bert(weight.name)
        kinds = {"kernel": "weight", "embeddings": "weight", "gamma": "weight", "beta": "bias"}
        name = ".".join([*path[:-1], kinds.get(path[-1], path[-1])]).replace("_._", ".")
        if path[0] != "pooler":
            found[name] = weight.numpy().T if path[-1] == "kernel" else weight.numpy()
    return found


def path_in_bert(name: str) -> list[str]:
    _, _, path = name.removesuffix(":0").partition("bert/")
    return path.split("/")


def google_names(model: Any) -> dict[str, HostArray]:
    """The names of Google's first checkpoints, with what an optimiser keeps beside them."""
    found = {"global_step": np.array(7, np.int64)}
    for weight in model.bert.weights:
        name = "/".join(["bert", *path_in_bert(weight.name)]).replace("layer_._", "layer_")
        found[re.sub(r"(?<=_embeddings)/(weight|embeddings)$", "", name)] = weight.numpy()
    found["cls/predictions/output_bias"] = np.zeros(CONFIG["vocab_size"], np.float32)
    kernel = "bert/encoder/layer_0/output/dense/kernel"
    return {**found, f"{kernel}/adam_m": found[kernel] * 0, f"{kernel}/adam_v": found[kernel] * 0}


def write_h5(model: Any, folder: Path) -> None:
    model.save_pretrained(folder)


def write_sharded_h5(model: Any, folder: Path) -> None:
    model.save_pretrained(folder, max_shard_size="10KB")
    assert len(list(folder.glob("tf_model-*.h5"))) > 1


def write_safetensors(model: Any, folder: Path) -> None:
    model.save_pretrained(folder, safe_serialization=True)


def write_checkpoint(model: Any, folder: Path) -> None:
    import tensorflow as tf

    write_config(folder, "bert_config.json", model_type=None)
    names = google_names(model)
    tf.raw_ops.SaveV2(
        prefix=str(folder / "bert_model.ckpt"),
        tensor_names=list(names),
        shape_and_slices=[""] * len(names),
        tensors=list(names.values()),
    )


def write_two_data_files(model: Any, folder: Path) -> None:
    import tensorflow as tf

    write_config(folder)
    names = google_names(model)
    parts = [str(folder / f"part{number}") for number in range(2)]
    for number, part in enumerate(parts):
        mine = list(names)[number::2]
        tf.raw_ops.SaveV2(
            prefix=part,
            tensor_names=mine,
            shape_and_slices=[""] * len(mine),
            tensors=[names[name] for name in mine],
        )
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=parts, destination_prefix=str(folder / "bert_model.ckpt")
    )
    assert len(list(folder.glob("*.data-*"))) == 2


def write_object_checkpoint(model: Any, folder: Path) -> None:
    import tensorflow as tf

    tf.train.Checkpoint(model=model).save(str(write_config(folder) / "ckpt"))


def write_saved_model(model: Any, folder: Path) -> None:
    import tensorflow as tf

    module = tf.Module()  # a Keras model takes eight seconds more, for graphs that are not read
    module.kept = model.weights
    tf.saved_model.save(module, str(folder))
    write_config(folder)


@pytest.mark.parametrize(
    ("write", "format_name"),
    [
        (write_h5, "HDF5"),
        (write_sharded_h5, "sharded HDF5"),
        (write_safetensors, "safetensors"),
        (write_checkpoint, "TensorFlow checkpoint"),
        (write_two_data_files, "TensorFlow checkpoint"),
        (write_object_checkpoint, "TensorFlow checkpoint"),
        (write_saved_model, "TensorFlow checkpoint"),
    ],
)
def test_hidden_states_are_those_of_tensorflow(
    write: Callable[[Any, Path], None],
    format_name: str,
    model: Any,
    tmp_path: Path,
    report: Report,
) -> None:
    write(model, tmp_path / "model")
    difference = largest_difference(
        tmp_path / "model", encoder_weights(model), hidden_states(model), format_name
    )
    report(f"{difference:.2e}")
    assert difference <= LARGEST
