"""Images from bytes against transformers' image processors, and the vectors made of them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import gpudb
from gpudb.models.images import read_image_settings
from tests.image_files import image_files
from tests.oracles.conftest import Report
from tests.oracles.parity import LARGEST, randomized
from tests.oracles.test_vit import SIZES

pytestmark = pytest.mark.oracle

# Both sides decode and resize with Pillow, in whole numbers; the rest is rounded once or twice.
LARGEST_PIXEL = 1e-5

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "ViT": ("ViTImageProcessorPil", {"size": {"height": 12, "width": 12}}),
    "not square": (
        "ViTImageProcessorPil",
        {"size": {"height": 8, "width": 12}, "resample": 3, "do_normalize": False},
    ),
    "CLIP": (
        "CLIPImageProcessorPil",
        {"size": {"shortest_edge": 12}, "crop_size": {"height": 12, "width": 12}},
    ),
    "larger than the image": (
        "CLIPImageProcessorPil",
        {"do_resize": False, "crop_size": {"height": 41, "width": 40}, "do_rescale": False},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_pixels_are_those_of_transformers(name: str, tmp_path: Path, report: Report) -> None:
    transformers = pytest.importorskip("transformers")
    kind, changes = CASES[name]
    processor = getattr(transformers, kind)(**changes, do_convert_rgb=True)
    processor.save_pretrained(tmp_path)
    settings = read_image_settings(tmp_path, 3)
    assert settings is not None
    differences = []
    for number, data in enumerate(image_files()):
        theirs = processor(Image.open(BytesIO(data)), return_tensors="np")["pixel_values"][0]
        ours = settings.pixels(data, 3, number)
        assert ours.shape == theirs.shape
        differences.append(float(np.abs(ours - theirs).max()))
    report(f"{max(differences):.2e}")
    assert max(differences) <= LARGEST_PIXEL


def theirs(tmp_path: Path, task: str) -> tuple[Any, Any]:
    """A random model, and the pixels of all images; both written to ``model``."""
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(**SIZES, id2label={0: "cat", 1: "hat", 2: "rat"})
    model = randomized(getattr(transformers, task)(config), seed=3)
    processor = transformers.ViTImageProcessorPil(
        size={"height": 12, "width": 12}, do_convert_rgb=True
    )
    for part in (model, processor):
        part.save_pretrained(tmp_path / "model")
    opened = [Image.open(BytesIO(data)) for data in image_files()]
    return model, processor(opened, return_tensors="pt")


def test_vectors_are_those_of_transformers(tmp_path: Path, report: Report) -> None:
    torch = pytest.importorskip("torch")
    model, pixels = theirs(tmp_path, "ViTModel")
    with torch.inference_mode():
        expected = model(**pixels).last_hidden_state[:, 0].numpy()
    given = image_files()
    column = [given[0], None, *given]
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(tmp_path / "model", "vit")
        result = db.embed("vit", column)
        assert result.stats.distinct_texts == len(given)
        found = result.arrow().column("embedding").to_pylist()
        assert (found[0], found[1]) == (found[2], None)
        difference = float(np.abs(np.array(found[2:]) - expected).max())
        report(f"{difference:.2e}")
        assert difference <= LARGEST
        db.create_table("pictures", pa.table({"picture": pa.array(column, pa.binary())}))
        rows = db.sql("SELECT embed('vit', picture) AS embedding FROM pictures").arrow()
        assert rows.column("embedding").to_pylist() == found


def test_labels_are_those_of_transformers(tmp_path: Path, report: Report) -> None:
    torch = pytest.importorskip("torch")
    model, pixels = theirs(tmp_path, "ViTForImageClassification")
    with torch.inference_mode():
        expected = model(**pixels).logits.softmax(1).numpy()
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        assert db.import_model(tmp_path / "model", "vit").labels == ("cat", "hat", "rat")
        found = db.classify("vit", image_files()).arrow()
    probabilities = [dict(row) for row in found.column("probabilities").to_pylist()]
    by_label = np.array([[row[name] for name in ("cat", "hat", "rat")] for row in probabilities])
    difference = float(np.abs(by_label - expected).max())
    report(f"{difference:.2e}")
    assert difference <= LARGEST
    names = [("cat", "hat", "rat")[i] for i in expected.argmax(1)]
    assert found.column("label").to_pylist() == names
