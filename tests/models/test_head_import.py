"""Importing models with heads: what is found, reported, left out and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpudb
from gpudb.errors import CheckpointError, InputError, UnsupportedError
from tests.models.head_oracle import LABELS, hidden, ids_of
from tests.tiny_model import (
    write_tiny_head,
    write_tiny_model,
)


def test_a_model_with_a_head_is_reported_and_still_embeds(tmp_path: Path) -> None:
    folder = write_tiny_head(tmp_path / "model", "SequenceClassification", 3, id2label=LABELS)
    with gpudb.connect(device="numpy") as db:
        report = db.import_model(folder, "m")
        assert (report.head, report.labels) == ("classify", ("bad", "so so", "good"))
        assert report.ignored == ()
        listed = db.sql("SELECT * FROM gpudb.heads").fetchall()
        assert listed == [("m", 1, "classify", ["bad", "so so", "good"])]
        names = db.sql("SELECT name FROM gpudb.tensors WHERE model = 'm'").numpy("name")
        assert {"pooler.dense.weight", "classifier.bias"} <= set(names)
        vector = db.embed("m", ["the cat"]).numpy("embedding")[0]
        np.testing.assert_allclose(vector, hidden(ids_of("the cat")).mean(0), atol=1e-5)
        db.drop_model("m")
        assert db.sql("SELECT * FROM gpudb.heads").rows == 0


@pytest.mark.parametrize("config", [{}, {"architectures": ["BertForSequenceClassification"]}])
def test_a_checkpoint_without_the_weights_of_its_head_is_an_encoder(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    folder = write_tiny_model(tmp_path / "model", **config)
    with gpudb.connect(device="numpy") as db:
        report = db.import_model(folder, "m")
        assert (report.head, report.labels) == (None, ())
        for ask in (
            lambda: db.classify("m", ["a"]),
            lambda: db.tag("m", []),
            lambda: db.fill_mask("m", ["[MASK]"]),
            lambda: db.score("m", ["a"], ["b"]),
        ):
            with pytest.raises(
                UnsupportedError,
                match=r"m@1 has no head for .* answers embed\. Import a checkpoint",
            ):
                ask()


def test_weights_of_another_head_are_left_out(tmp_path: Path) -> None:
    folder = write_tiny_head(tmp_path / "model", "MaskedLM")
    settings = json.loads((folder / "config.json").read_text())
    settings["architectures"] = ["BertForTokenClassification"]
    (folder / "config.json").write_text(json.dumps(settings))
    with gpudb.connect(device="numpy") as db:
        report = db.import_model(folder, "m")
        assert report.head is None
        assert "cls.predictions.bias" in report.ignored


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"id2label": {"0": "a", "1": "b"}}, "id2label has 2 labels.*0 to 2"),
        ({"id2label": {"0": "a", "1": "b", "3": "c"}}, "numbers 0, 1, 3; expected.*0 to 2"),
        ({"id2label": {"0": "a", "1": "b", "2": "a"}}, "several outputs the label a;"),
        ({"id2label": {"0": "a", "1": "b", "2": 3}}, "expected a text"),
        ({"id2label": ["a", "b", "c"]}, "expected a text"),
        ({"problem_type": "guessing"}, "problem_type is 'guessing'; expected one of"),
    ],
)
def test_labels_that_do_not_fit(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    folder = write_tiny_head(tmp_path / "model", "SequenceClassification", 3, **config)
    with (
        gpudb.connect(device="numpy") as db,
        pytest.raises(CheckpointError, match=message),
    ):
        db.import_model(folder, "m")


def test_scores_that_are_not_made(tmp_path: Path) -> None:
    write_tiny_head(tmp_path / "three", "SequenceClassification", 3)
    settings = {"sentence_transformers": {"activation_fn": "torch.nn.Tanh"}}
    write_tiny_head(tmp_path / "other", "SequenceClassification", 1, **settings)
    with gpudb.connect(device="numpy") as db:
        for name in ("three", "other"):
            db.import_model(tmp_path / name, name)
        with pytest.raises(UnsupportedError, match=r"tells 3 labels apart.*a head with one"):
            db.score("three", ["a"], ["b"])
        with pytest.raises(UnsupportedError, match=r"torch.nn.Tanh; gpudb computes Sigmoid and"):
            db.score("other", ["a"], ["b"])
        assert db.classify("other", ["a"]).rows == 1
        with pytest.raises(InputError, match="pairs: 1 texts and 2; expected"):
            db.score("other", ["a"], ["b", "c"])
        with pytest.raises(InputError, match="top is 0"):
            db.fill_mask("other", ["[MASK]"], top=0)
