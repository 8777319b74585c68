"""CLIP's two towers: each is a model, and vectors of texts and images can be compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import load_file, save_file

import gpudb
from gpudb.errors import CheckpointError, InputError
from gpudb.models.checkpoint import read_checkpoint
from gpudb.models.towers import one_tower
from gpudb.types import HostArray
from tests.image_files import image_files
from tests.tiny_clip import IMAGES, SIZES, WIDTH, write_clip
from tests.tiny_model import write_tiny_model

TEXTS = ["the", "", "a list of names, and more than fits", "The"]
COLUMNS: dict[str, list[Any]] = {"text": TEXTS, "image": image_files()}
PARTS = {
    "text": ("text_model", "text_config", "text_projection.weight"),
    "image": ("vision_model", "vision_config", "visual_projection.weight"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "model")


@pytest.fixture
def db(tmp_path: Path, folder: Path) -> Iterator[gpudb.Database]:
    with gpudb.connect(tmp_path / "db", device="numpy", threads=2) as opened:
        opened.import_model(folder, "texts", tower="text")
        opened.import_model(folder, "images", tower="image")
        yield opened


def vectors(db: gpudb.Database, model: str, column: list[Any]) -> HostArray:
    found: HostArray = db.embed(model, column).numpy("embedding")
    return found


def test_a_query_ranks_images_by_a_text(db: gpudb.Database) -> None:
    files = image_files()
    db.create_table("pictures", pa.table({"i": range(len(files)), "p": pa.array(files)}))
    rows = db.sql(
        "SELECT i, cosine(embed('texts', 'the list'), embed('images', p)) AS s FROM pictures "
        "ORDER BY s DESC, i"
    ).fetchall()
    a, b = vectors(db, "texts", ["the list"]), vectors(db, "images", files)
    cosines = (b @ a[0]) / np.linalg.norm(a) / np.linalg.norm(b, axis=1)
    order = np.lexsort((np.arange(len(files)), -cosines))
    assert [i for i, _ in rows] == order.tolist()
    assert [s for _, s in rows] == pytest.approx(cosines[order].tolist(), abs=1e-6)


def test_letters_are_small_and_long_texts_are_cut(db: gpudb.Database) -> None:
    found = vectors(db, "texts", TEXTS)
    assert found.shape == (len(TEXTS), WIDTH)
    assert np.array_equal(found[0], found[3])
    # Seven tokens, the last of them the end: what is behind the fifth word cannot matter.
    same = vectors(db, "texts", ["a a a a a a a a", "a a a a a", "a a a a b"])
    assert np.array_equal(same[0], same[1])
    assert not np.array_equal(same[1], same[2])


def test_a_token_sees_those_before_it_alone(db: gpudb.Database) -> None:
    ids = np.array([5, 9, 300, 7, 5, 9, 300, 8])
    hidden, _ = db.infer("texts", {"token_ids": ids}, [0, 4, 8])
    assert np.array_equal(hidden[:3], hidden[4:7])
    assert not np.allclose(hidden[3], hidden[7])


@pytest.mark.parametrize("device", ["numpy", "jit"])
@pytest.mark.parametrize("execution", ["fused", "relational"])
def test_vectors_are_the_same_however_they_are_computed(
    db: gpudb.Database, tmp_path: Path, device: str, execution: str
) -> None:
    files = image_files()[:3]
    with gpudb.connect(tmp_path / "db", device=device) as other:
        other.set(execution=execution, block_size=4)
        for model, column in (("texts", TEXTS), ("images", files)):
            found = vectors(other, model, column)
            # Sums in another order, over values of the order of one.
            np.testing.assert_allclose(found, vectors(db, model, column), rtol=0, atol=1e-5)


@pytest.mark.parametrize("tower", COLUMNS)
def test_without_a_projection_vectors_are_pooled_rows(
    tower: str, folder: Path, tmp_path: Path
) -> None:
    part, section, projection = PARTS[tower]
    weights = load_file(folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())[section]
    alone = write_clip(tmp_path / "alone", **config, model_type=f"clip_{part}")
    kept = {name: w for name, w in weights.items() if name.startswith(part)}
    save_file(kept, alone / "model.safetensors")
    with gpudb.connect(device="numpy") as db:
        assert db.import_model(alone, "pooled").ignored == ()
        db.import_model(folder, "projected", tower=tower)
        found = vectors(db, "pooled", COLUMNS[tower]) @ weights[projection].T
        expected = vectors(db, "projected", COLUMNS[tower])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_weights_of_the_other_tower_are_named(folder: Path) -> None:
    with gpudb.connect(device="numpy") as db:
        texts = db.import_model(folder, "texts", tower="text")
        images = db.import_model(folder, "images", tower="image")
    assert (texts.architecture, images.architecture) == ("clip_text", "clip_image")
    everything = set(load_file(folder / "model.safetensors"))
    kept = {
        "texts": {n for n in everything if n.startswith("text_")},
        "images": {n for n in everything if n.startswith("vis")},
    }
    assert set(texts.ignored) == everything - kept["texts"]
    assert set(images.ignored) == everything - kept["images"]
    assert "logit_scale" in texts.ignored


def test_which_tower_must_be_said(folder: Path, tmp_path: Path) -> None:
    with gpudb.connect(device="numpy") as db:
        both = r"two towers.*tower='text'\) and import_model\(folder, name, tower='image'\)"
        with pytest.raises(InputError, match=both):
            db.import_model(folder, "m")
        with pytest.raises(InputError, match=r"tower is 'vision'; expected 'text' or 'image'"):
            db.import_model(folder, "m", tower="vision")
        single = write_tiny_model(tmp_path / "bert")
        with pytest.raises(InputError, match=r"has a single encoder \(model_type is 'bert'\)"):
            db.import_model(single, "m", tower="text")
        assert db.models() == []


@pytest.mark.parametrize("section", [None, [], "small"])
def test_a_config_without_the_tower(section: object, folder: Path) -> None:
    write_clip(folder, text_config=section)
    error = r"text_config in config.json is .*an object"
    with gpudb.connect(device="numpy") as db, pytest.raises(CheckpointError, match=error):
        db.import_model(folder, "m", tower="text")


def test_what_configs_leave_out(folder: Path) -> None:
    """As transformers' CLIPConfig fills it in."""
    checkpoint = read_checkpoint(write_clip(folder, text_config={}, vision_config={}))
    texts, images = (one_tower(checkpoint, name).config for name in ("text", "image"))
    assert texts["model_type"] == "clip_text_model"
    assert (texts["hidden_size"], images["hidden_size"]) == (512, 768)
    assert texts["projection_dim"] == images["projection_dim"] == WIDTH
    older = write_clip(folder, text_config=SIZES, text_config_dict={"hidden_size": 16})
    found = one_tower(read_checkpoint(older), "text").config
    assert (found["hidden_size"], found["num_attention_heads"]) == (16, 8)


def test_a_misshapen_projection(folder: Path) -> None:
    write_clip(folder, projection_dim=WIDTH + 1)
    error = r"text_projection.weight is \[5, 8\], expected \[6, 8\]"
    with gpudb.connect(device="numpy") as db, pytest.raises(CheckpointError, match=error):
        db.import_model(folder, "m", tower="text")


@pytest.mark.parametrize("modules", [["CLIPModel"], ["CLIPModel", "Normalize"], ["Transformer"]])
def test_folders_of_sentence_transformers(modules: list[str], folder: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    inner = write_clip(outer / f"0_{modules[0]}")
    listed = [
        {"path": f"{number}_{kind}", "type": f"sentence_transformers.models.{kind}"}
        for number, kind in enumerate(modules)
    ]
    (outer / "modules.json").write_text(json.dumps(listed))
    if modules == ["Transformer"]:
        methods = {"text": "get_text_features", "image": "get_image_features"}
        settings = {
            "module_output_name": "sentence_embedding",
            "modality_config": {kind: {"method": name} for kind, name in methods.items()},
        }
        (inner / "sentence_bert_config.json").write_text(json.dumps(settings))
    with gpudb.connect(device="numpy") as db:
        for tower, column in COLUMNS.items():
            db.import_model(folder, "plain", tower=tower)
            db.import_model(outer, "m", tower=tower)
            expected = vectors(db, "plain", column)
            if "Normalize" in modules:
                expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
            np.testing.assert_allclose(vectors(db, "m", column), expected, rtol=0, atol=1e-6)


def test_rounded_weights(folder: Path) -> None:
    with gpudb.connect(device="numpy") as db:
        for tower, column in COLUMNS.items():
            db.import_model(folder, tower, tower=tower)
            report = db.import_model(folder, "half", tower=tower, dtype="float16")
            # Accuracy is measured over texts.
            assert (report.cosines is None) == (tower == "image")
            a, b = vectors(db, tower, column), vectors(db, "half", column)
            lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
            assert ((a * b).sum(axis=1) / lengths).min() >= 0.9999


def test_images_have_as_many_rows_as_patches(folder: Path) -> None:
    """Whatever the tokenizer, which is the other tower's, says of texts."""
    write_clip(folder, vision_config={**IMAGES, "image_size": 9})
    with gpudb.connect(device="numpy") as db:
        db.import_model(folder, "m", tower="image")
        encoder = db._library.encoder("m")
        assert encoder.function.max_tokens == 10
        assert encoder.tokenizer is None
        assert np.isfinite(vectors(db, "m", image_files())).all()
