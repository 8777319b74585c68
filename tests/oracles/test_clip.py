"""CLIP's towers against transformers, from files that transformers wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import gpudb
from gpudb.types import HostArray
from tests.image_files import image_files
from tests.oracles.conftest import Report
from tests.oracles.parity import LARGEST, compare_hidden, compare_images, randomized
from tests.oracles.texts import texts
from tests.vocabulary_files import clip_folder, write_json

pytestmark = pytest.mark.oracle

SIZES: dict[str, Any] = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 33,
    "projection_dim": 16,
    "initializer_factor": 3.0,
}
TEXTS: dict[str, Any] = {**SIZES, "vocab_size": 60, "max_position_embeddings": 40}
IMAGES: dict[str, Any] = {**SIZES, "image_size": 12, "patch_size": 4}
LENGTHS = (1, 2, 7, 9, 38)
LONGEST = 24

TEXT_CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "a model": ("CLIPTextModel", {}, "float32"),
    "another function": ("CLIPTextModel", {"hidden_act": "gelu"}, "float32"),
    "one head": ("CLIPTextModel", {"num_attention_heads": 1, "layer_norm_eps": 0.1}, "float32"),
    "projected": ("CLIPTextModelWithProjection", {}, "float32"),
    "half": ("CLIPTextModelWithProjection", {}, "float16"),
    "bfloat16": ("CLIPTextModel", {}, "bfloat16"),
}
IMAGE_CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "a model": ("CLIPVisionModel", {}, "float32"),
    "another function": ("CLIPVisionModel", {"hidden_act": "gelu"}, "float32"),
    "one patch": ("CLIPVisionModel", {"image_size": 4, "num_attention_heads": 1}, "float32"),
    "what is left over": ("CLIPVisionModel", {"image_size": 11, "num_channels": 1}, "float32"),
    "projected": ("CLIPVisionModelWithProjection", {}, "float32"),
    "half": ("CLIPVisionModelWithProjection", {}, "float16"),
    "bfloat16": ("CLIPVisionModel", {}, "bfloat16"),
}


@pytest.mark.parametrize("name", TEXT_CASES)
def test_hidden_states_of_texts(name: str, tmp_path: Path, report: Report) -> None:
    transformers = pytest.importorskip("transformers")
    task, changes, dtype = TEXT_CASES[name]
    config = transformers.CLIPTextConfig(**{**TEXTS, **changes})
    model = randomized(getattr(transformers, task)(config), seed=len(name))
    encoder = getattr(model, "text_model", model)
    compare_hidden(tmp_path, model, lengths=LENGTHS, report=report, encoder=encoder, dtype=dtype)


@pytest.mark.parametrize("name", IMAGE_CASES)
def test_hidden_states_of_images(name: str, tmp_path: Path, report: Report) -> None:
    transformers = pytest.importorskip("transformers")
    task, changes, dtype = IMAGE_CASES[name]
    config = transformers.CLIPVisionConfig(**{**IMAGES, **changes})
    model = randomized(getattr(transformers, task)(config), seed=len(name))
    compare_images(tmp_path, model, report=report, dtype=dtype)


@dataclass(frozen=True)
class Clip:
    """A random model of transformers in a folder, with its tokenizer and image processor."""

    folder: Path
    model: Any
    tokenizer: Any
    processor: Any

    @classmethod
    def written(cls, folder: Path, **changes: Any) -> Clip:
        """``changes`` are of the config of texts."""
        transformers = pytest.importorskip("transformers")
        clip_folder(folder)
        vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
        write_json(folder / "tokenizer_config.json", {"model_max_length": LONGEST})
        sizes = {
            **TEXTS,
            "vocab_size": len(vocabulary),
            "max_position_embeddings": LONGEST,
            "eos_token_id": vocabulary["<|endoftext|>"],
        }
        config = transformers.CLIPConfig(
            text_config={**sizes, **changes},
            vision_config={**IMAGES, "hidden_size": 36},
            projection_dim=SIZES["projection_dim"],
        )
        model = randomized(transformers.CLIPModel(config), seed=5)
        processor = transformers.CLIPImageProcessorPil(
            size={"shortest_edge": 12}, crop_size={"height": 12, "width": 12}
        )
        for part in (model, processor):
            part.save_pretrained(folder)
        return cls(folder, model, transformers.AutoTokenizer.from_pretrained(folder), processor)

    def tokens(self, some: list[str]) -> Any:
        return self.tokenizer(some, padding=True, truncation=True, return_tensors="pt")

    def pixels(self, files: list[bytes]) -> Any:
        opened = [Image.open(BytesIO(data)) for data in files]
        return self.processor(opened, return_tensors="pt")


@pytest.mark.parametrize("end", [{}, {"eos_token_id": 2}], ids=["end", "end of older configs"])
def test_vectors_of_texts(end: dict[str, int], tmp_path: Path, report: Report) -> None:
    torch = pytest.importorskip("torch")
    clip, some = Clip.written(tmp_path / "model", **end), texts(200)
    with torch.inference_mode():
        expected = clip.model.get_text_features(**clip.tokens(some)).pooler_output.numpy()
    _compare_vectors(clip.folder, "text", some, expected, report)


def test_vectors_of_images(tmp_path: Path, report: Report) -> None:
    torch = pytest.importorskip("torch")
    clip, files = Clip.written(tmp_path / "model"), image_files()
    with torch.inference_mode():
        expected = clip.model.get_image_features(**clip.pixels(files)).pooler_output.numpy()
    _compare_vectors(clip.folder, "image", files, expected, report)


@pytest.mark.parametrize("kind", ["CLIPTextModel", "CLIPTextModelWithProjection"])
def test_vectors_of_a_tower_of_texts(kind: str, tmp_path: Path, report: Report) -> None:
    torch = pytest.importorskip("torch")
    clip, some = Clip.written(tmp_path / "model"), texts(50)
    alone = _alone(clip, kind)
    with torch.inference_mode():
        output = alone(**clip.tokens(some))
    expected = output.text_embeds if kind.endswith("Projection") else output.pooler_output
    _compare_vectors(clip.folder, None, some, expected.numpy(), report)


@pytest.mark.parametrize("kind", ["CLIPVisionModel", "CLIPVisionModelWithProjection"])
def test_vectors_of_a_tower_of_images(kind: str, tmp_path: Path, report: Report) -> None:
    torch = pytest.importorskip("torch")
    clip, files = Clip.written(tmp_path / "model"), image_files()
    alone = _alone(clip, kind)
    with torch.inference_mode():
        output = alone(**clip.pixels(files))
    expected = output.image_embeds if kind.endswith("Projection") else output.pooler_output
    _compare_vectors(clip.folder, None, files, expected.numpy(), report)


def test_a_query_ranks_images_as_logits_do(tmp_path: Path, report: Report) -> None:
    torch = pytest.importorskip("torch")
    clip, files, some = Clip.written(tmp_path / "model"), image_files(), texts(12)
    with torch.inference_mode():
        output = clip.model(**clip.tokens(some), **clip.pixels(files))
        cosines = (output.logits_per_image / clip.model.logit_scale.exp()).numpy()
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(clip.folder, "clip_text", tower="text")
        db.import_model(clip.folder, "clip_image", tower="image")
        db.create_table("pictures", pa.table({"i": range(len(files)), "picture": files}))
        differences = []
        for number, text in enumerate(some):
            rows = db.sql(
                "SELECT i, cosine(embed('clip_text', $q), embed('clip_image', picture)) AS s "
                "FROM pictures ORDER BY s DESC",
                {"q": text},
            ).fetchall()
            expected = cosines[:, number]
            assert [i for i, _ in rows] == np.argsort(-expected).tolist()
            differences += [abs(s - expected[i]) for i, s in rows]
    report(f"{max(differences):.2e}")
    assert max(differences) <= LARGEST


@pytest.mark.parametrize("tower", ["text", "image"])
def test_vectors_of_weights_stored_as_float16(tower: str, tmp_path: Path, report: Report) -> None:
    torch = pytest.importorskip("torch")
    clip = Clip.written(tmp_path / "model")
    column: list[Any] = texts(50) if tower == "text" else image_files()
    with torch.inference_mode():
        output = (
            clip.model.get_text_features(**clip.tokens(column))
            if tower == "text"
            else clip.model.get_image_features(**clip.pixels(column))
        )
    expected = output.pooler_output.numpy()
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(clip.folder, "m", tower=tower, dtype="float16")
        found = db.embed("m", column).numpy("embedding")
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    least = float(((found * expected).sum(axis=1) / lengths).min())
    report(f"cosine {least:.7f}")
    assert least >= 0.9999


def test_folders_of_sentence_transformers(tmp_path: Path, report: Report) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    (tmp_path / "shared").mkdir()
    Clip.written(tmp_path / "shared/0_CLIPModel")
    module = {"idx": 0, "name": "0", "path": "0_CLIPModel"}
    kind = "sentence_transformers.models.CLIPModel"
    write_json(tmp_path / "shared/modules.json", [{**module, "type": kind}])
    theirs = sentence_transformers.SentenceTransformer(str(tmp_path / "shared"), device="cpu")
    theirs.save_pretrained(str(tmp_path / "saved"))
    some = texts(50)
    expected = theirs.encode(some, show_progress_bar=False)
    for folder in ("shared", "saved"):
        _compare_vectors(tmp_path / folder, "text", some, expected, report)


def _alone(clip: Clip, kind: str) -> Any:
    """A tower in a class of its own, saved over the model it is of."""
    import transformers

    alone = getattr(transformers, kind).from_pretrained(clip.folder).eval()
    alone.save_pretrained(clip.folder)
    return alone


def _compare_vectors(
    folder: Path, tower: str | None, column: list[Any], expected: HostArray, report: Report
) -> None:
    with gpudb.connect(device="numpy") as db:
        db.import_model(folder, "m", tower=tower)
        _check(db.embed("m", column).numpy("embedding"), expected, report)


def _check(found: HostArray, expected: HostArray, report: Report) -> None:
    difference = float(np.abs(found - expected).max())
    report(f"{difference:.2e}")
    assert difference <= LARGEST
