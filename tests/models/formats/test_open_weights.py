"""Which file of a model folder is read, and what is said about the others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import gpudb
from gpudb.cli import main
from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.formats.format import NOT_WEIGHTS
from gpudb.models.formats.opening import open_weights
from tests.tiny_model import write_tiny_model

OTHERS = ("model.onnx", "pytorch_model.bin", "tf_model.h5")


def write_shards(folder: Path) -> None:
    save_file({"a": np.zeros(2, np.float32)}, folder / "one.safetensors")
    save_file({"b": np.ones(3)}, folder / "two.safetensors")
    places = {"a": "one.safetensors", "b": "two.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def test_shards_and_their_index_are_one_checkpoint(tmp_path: Path) -> None:
    write_shards(tmp_path)
    opened = open_weights(tmp_path)
    assert (opened.format, opened.file) == (
        "sharded safetensors",
        "model.safetensors.index.json",
    )
    assert list(opened.weights) == ["a", "b"]
    assert opened.others == ()


def test_safetensors_wins_and_the_others_are_named(tmp_path: Path) -> None:
    write_shards(tmp_path)
    save_file({"x": np.zeros(2)}, tmp_path / "model.safetensors")
    for name in (*OTHERS, *NOT_WEIGHTS, "README.md"):
        (tmp_path / name).write_bytes(b"?")
    opened = open_weights(tmp_path)
    assert (opened.format, opened.file) == ("safetensors", "model.safetensors")
    assert list(opened.weights) == ["x"]
    shards = ("model.safetensors.index.json", "one.safetensors", "two.safetensors")
    assert set(opened.others) == {*OTHERS, *shards}


def test_the_report_and_the_command_line_say_what_was_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_tiny_model(tmp_path / "model")
    with gpudb.connect(device="numpy") as db:
        assert db.import_model(folder, "tiny").unused == ()
        for name in OTHERS:
            (folder / name).write_bytes(b"?")
        report = db.import_model(folder, "tiny")
    assert (report.format, report.file) == ("safetensors", "model.safetensors")
    assert report.unused == OTHERS
    command = ["import-model", str(folder), "--name", "t", "-d", str(tmp_path / "db")]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Weights: model.safetensors (safetensors)" in lines
    assert f"Other weight files, not read: {', '.join(OTHERS)}" in lines


@pytest.mark.parametrize(
    ("name", "framework"),
    [
        ("model.pkl", "pickle"),
        ("model.tflite", "TensorFlow Lite"),
    ],
)
def test_formats_that_are_not_read_are_named(tmp_path: Path, name: str, framework: str) -> None:
    (tmp_path / name).write_bytes(b"?")
    (tmp_path / "training_args.bin").write_bytes(b"?")
    with pytest.raises(UnsupportedError, match="a format gpudb reads: safetensors, ") as caught:
        open_weights(tmp_path)
    assert f"{name} ({framework})" in str(caught.value)
    assert "training_args" not in str(caught.value)
    assert "safe_serialization=True" in str(caught.value)


def test_no_weights_at_all(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no weights"):
        open_weights(tmp_path)
    save_file({"x": np.zeros(2)}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(CheckpointError, match=r"only adapter_model\.safetensors"):
        open_weights(tmp_path)
