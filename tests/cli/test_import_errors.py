"""``gpudb import-model`` on models that cannot be imported: exit code 1, one line, no traceback."""

from __future__ import annotations

import argparse
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import save_file

import gpudb
from gpudb.cli import main
from gpudb.cli.parser import build_parser
from tests.tiny_model import CONFIG, tiny_weights, write_tiny_model


def _commands() -> dict[str, argparse.ArgumentParser]:
    (found,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(found.choices)


@pytest.mark.parametrize("command", _commands())
def test_help_explains_every_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for action in _commands()[command]._actions:
        assert action.help, action
        assert action.help is not argparse.SUPPRESS
        for option in action.option_strings:
            assert option in text
        explained = action.help % {"default": action.default, "prog": "gpudb"}
        assert " ".join(explained.split()) in text


def _misfit(folder: Path) -> None:
    arrays = tiny_weights()
    del arrays["embeddings.LayerNorm.bias"]
    save_file(arrays, folder / "model.safetensors")


def _cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def _pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"a": os.getcwd}))


def _config(**changes: object) -> Callable[[Path], object]:
    return lambda folder: (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))


DAMAGES = pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json: not JSON"),
        (_config(model_type="gpt2"), "gpudb knows albert, "),
        (_config(num_hidden_layers=10**9), "expected a whole number from 1 to 1000"),
        (_misfit, "missing: embeddings.LayerNorm.bias [24]"),
        (_cut, "ends at byte"),
        (_pickle, "getcwd', which was not loaded"),
    ],
    ids=["no config", "no JSON", "unknown", "layers", "misfit", "cut", "pickle"],
)


@DAMAGES
def test_a_bad_model_is_one_line_on_stderr(
    damage: Callable[[Path], object],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = write_tiny_model(tmp_path / "model")
    path = str(tmp_path / "db")
    assert main(["import-model", str(folder), "--name", "m", "-d", path]) == 0
    damage(folder)
    capsys.readouterr()
    assert main(["import-model", str(folder), "--name", "m", "-d", path]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("gpudb: error: ")
    assert words in line
    with gpudb.connect(path, device="numpy") as db:
        assert db.sql("SELECT model, version FROM gpudb.versions").fetchall() == [("m", 1)]


@DAMAGES
def test_a_bad_model_makes_no_database(
    damage: Callable[[Path], object], words: str, tmp_path: Path
) -> None:
    damage(write_tiny_model(tmp_path / "model"))
    path = tmp_path / "new"
    assert main(["import-model", str(tmp_path / "model"), "--name", "m", "-d", str(path)]) == 1
    assert not path.exists()


def test_a_bad_name_makes_no_database(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "model")
    path = tmp_path / "new"
    assert main(["import-model", str(folder), "--name", "", "-d", str(path)]) == 1
    assert not path.exists()
