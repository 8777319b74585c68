"""GGUF files with the names of llama.cpp, against the same weights under their own names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import gpudb
from gpudb.errors import CheckpointError
from gpudb.models.architectures import bert, nomic_bert
from gpudb.types import HostArray
from tests.models.formats.test_gguf import written
from tests.tiny_model import CONFIG, WORDS

NOMIC_CONFIG: dict[str, Any] = {**CONFIG, "model_type": "nomic_bert", "hidden_act": "silu"}
NOMIC_CONFIG |= {"num_attention_heads": 2, "qkv_proj_bias": True}
MODELS = {"bert": (bert, CONFIG), "nomic-bert": (nomic_bert, NOMIC_CONFIG)}
TABLES = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.position_embeddings": "position_embd",
}
NAMES = {
    "bert": {
        **TABLES,
        "embeddings.LayerNorm": "token_embd_norm",
        "encoder.layer.0.attention.self.query": "blk.0.attn_q",
        "encoder.layer.0.attention.self.key": "blk.0.attn_k",
        "encoder.layer.0.attention.self.value": "blk.0.attn_v",
        "encoder.layer.0.attention.output.dense": "blk.0.attn_output",
        "encoder.layer.0.attention.output.LayerNorm": "blk.0.attn_output_norm",
        "encoder.layer.0.intermediate.dense": "blk.0.ffn_up",
        "encoder.layer.0.output.dense": "blk.0.ffn_down",
        "encoder.layer.0.output.LayerNorm": "blk.0.layer_output_norm",
    },
    "nomic-bert": {
        **TABLES,
        "emb_ln": "token_embd_norm",
        "encoder.layers.0.attn.Wqkv": "blk.0.attn_qkv",
        "encoder.layers.0.attn.out_proj": "blk.0.attn_output",
        "encoder.layers.0.norm1": "blk.0.attn_output_norm",
        "encoder.layers.0.mlp.fc11": "blk.0.ffn_up",
        "encoder.layers.0.mlp.fc12": "blk.0.ffn_gate",
        "encoder.layers.0.mlp.fc2": "blk.0.ffn_down",
        "encoder.layers.0.norm2": "blk.0.layer_output_norm",
    },
}


def weights_of(name: str) -> dict[str, HostArray]:
    module, config = MODELS[name]
    rng = np.random.default_rng(0)
    return {
        n: rng.standard_normal(shape).astype(np.float32)
        for n, shape in module.weights(config).items()
    }


def in_gguf(name: str, weights: Mapping[str, HostArray]) -> dict[str, HostArray]:
    """Under the names of llama.cpp, written out here for the first layer."""
    found = {}
    for ours, values in weights.items():
        stem, _, kind = ours.replace(".1.", ".0.").rpartition(".")
        theirs = NAMES[name][stem].replace("blk.0", f"blk.{int('.1.' in ours)}")
        found[f"{theirs}.{kind}"] = values
    return found


def write_settings(name: str, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(MODELS[name][1]))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")


def check_the_same(name: str, weights: Mapping[str, HostArray], gguf: Path) -> None:
    """What lies in ``gguf`` is the model of ``weights``: its blocks, and so its vectors."""
    ours = gguf.parent / "ours"
    write_settings(name, ours)
    save_file(dict(weights), ours / "model.safetensors")
    with gpudb.connect(device="numpy") as db:
        first = db.import_model(ours, "ours")
        again = db.import_model(gguf, "theirs")
        assert (again.format, again.new_nbytes, again.ignored) == ("GGUF", 0, ())
        assert again.tensors == first.tensors == len(weights)
        texts = ["the cat sat", "a dog"]
        vectors = [db.embed(model, texts).numpy("embedding") for model in ("ours", "theirs")]
        np.testing.assert_array_equal(*vectors)


@pytest.mark.parametrize("name", MODELS)
def test_the_same_blocks_are_stored(name: str, tmp_path: Path) -> None:
    weights, folder = weights_of(name), tmp_path / "gguf"
    tensors = [
        (theirs, values.shape, 0, values.tobytes())
        for theirs, values in in_gguf(name, weights).items()
    ]
    write_settings(name, folder)
    (folder / "m.gguf").write_bytes(written(tensors))
    check_the_same(name, weights, folder)


def test_a_tensor_of_another_architecture(tmp_path: Path) -> None:
    weights = in_gguf("bert", weights_of("bert")) | {"blk.0.ffn_gate.weight": np.zeros((2, 2), "f")}
    write_settings("bert", tmp_path)
    tensors = [(n, values.shape, 0, values.tobytes()) for n, values in weights.items()]
    (tmp_path / "m.gguf").write_bytes(written(tensors))
    with (
        gpudb.connect(device="numpy") as db,
        pytest.raises(CheckpointError, match=r"unexpected: blk\.0\.ffn_gate\.weight \[2, 2\]"),
    ):
        db.import_model(tmp_path, "m")


def test_without_a_config(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(written([]))
    with (
        gpudb.connect(device="numpy") as db,
        pytest.raises(CheckpointError, match=r"found m\.gguf without config\.json; .*beside it"),
    ):
        db.import_model(tmp_path, "m")


@pytest.mark.formats
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", MODELS)
def test_what_the_gguf_package_names_and_writes(name: str, dtype: str, tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    weights = {
        n: values.astype(dtype if values.ndim == 2 else "float32")
        for n, values in weights_of(name).items()
    }
    kind = next(kind for kind, text in gguf.MODEL_ARCH_NAMES.items() if text == name)
    names = gguf.get_tensor_name_map(kind, 2)
    folder = tmp_path / "gguf"
    write_settings(name, folder)
    writer = gguf.GGUFWriter(folder / "m.gguf", name)
    writer.add_block_count(2)
    for ours, values in weights.items():
        theirs = names.get_name(ours, try_suffixes=(".weight", ".bias"))
        assert theirs in in_gguf(name, weights)
        writer.add_tensor(theirs, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    check_the_same(name, weights, folder)
