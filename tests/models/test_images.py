"""Columns of images: who reads them, what is refused, and which row it was."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

import gpudb
from gpudb.errors import CheckpointError, InputError, SqlError, UnsupportedError
from gpudb.models.bytes_column import as_bytes_column
from gpudb.models.images import MOST_PIXELS, ImageSettings, read_image_settings
from gpudb.models.patches import Patches
from tests.image_files import image_file, image_files, saved
from tests.tiny_encoders import VIT_CONFIG, write_encoder

AS_IT_IS = ImageSettings(size=[], resample=2, crop=[], factor=1.0, mean=[], std=[])
PROCESSOR: dict[str, Any] = {
    "image_processor_type": "ViTImageProcessor",
    "size": {"height": 6, "width": 6},
    "image_mean": [0.5, 0.25],
    "image_std": [0.5, 2.0],
}
COLOURS = {**PROCESSOR, "image_mean": [0.5, 0.25, 0.1], "image_std": [0.5, 2.0, 1.0]}


def folder(tmp_path: Path, **processor: Any) -> Path:
    """A small ViT of three colours and what makes its pixels."""
    write_encoder("vit, colours", tmp_path)
    settings = {**COLOURS, **processor}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    return tmp_path


@pytest.fixture
def db(tmp_path: Path) -> Iterator[gpudb.Database]:
    source = tmp_path / "model"
    source.mkdir()
    with gpudb.connect(tmp_path / "db", device="numpy") as opened:
        opened.import_model(folder(source), "vit")
        yield opened


def test_pixels_are_scaled_shifted_and_in_the_order_of_channels() -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    settings = ImageSettings([], 2, [], 1 / 255, [0.5, 0.25, 0.0], [0.5, 2.0, 4.0])
    found = settings.pixels(saved(Image.fromarray(pixels), "PNG"), 3, 0)
    scaled = pixels.transpose(2, 0, 1) / 255 - np.array([0.5, 0.25, 0.0])[:, None, None]
    expected = scaled / np.array([0.5, 2.0, 4.0])[:, None, None]
    # Rounded to float32 twice.
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-7)
    assert found.dtype == np.float32


def test_an_image_that_lies_on_its_side_is_turned_upright() -> None:
    image = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right by a quarter
    data = saved(image, "PNG", exif=exif)
    assert AS_IT_IS.pixels(data, 1, 0)[0].tolist() == [[3, 0], [4, 1], [5, 2]]


def test_transparent_parts_are_white() -> None:
    image = Image.new("RGBA", (1, 1), (10, 20, 30, 0))
    assert AS_IT_IS.pixels(saved(image, "PNG"), 3, 0).ravel().tolist() == [255, 255, 255]


def test_every_kind_of_column_gives_the_same_vectors(db: gpudb.Database) -> None:
    rows = [*image_files(), None, image_files()[0]]
    expected = db.embed("vit", rows).arrow()
    assert expected.column("embedding").null_count == 1
    for column in (
        tuple(rows),
        np.array(rows, object),
        pd.Series(rows),
        pl.Series(rows, dtype=pl.Binary),
        pa.array(rows, pa.binary()),
        pa.chunked_array([rows[:2], rows[2:]], pa.large_binary()),
        [None if row is None else bytearray(row) for row in rows],
    ):
        assert db.embed("vit", column).arrow().equals(expected)
    assert len(db.embed("vit", []).arrow()) == 0
    assert db.embed("vit", [None, None]).arrow().column("embedding").null_count == 2


def test_in_sql_files_are_read_where_they_lie(db: gpudb.Database, tmp_path: Path) -> None:
    files = image_files()[:3]
    for number, data in enumerate(files):
        (tmp_path / f"{number}.img").write_bytes(data)
    found = db.sql(
        f"SELECT embed('vit', content) AS e FROM read_blob('{tmp_path}/*.img') ORDER BY filename"
    )
    expected = db.embed("vit", files).arrow().column("embedding").to_pylist()
    assert found.arrow().column("e").to_pylist() == expected
    same = db.sql("SELECT cosine(embed('vit', $a), embed('vit', $a)) AS c", {"a": files[0]})
    assert same.arrow().column("c")[0].as_py() == pytest.approx(1, abs=1e-6)
    assert db.sql("SELECT embed('vit', NULL) AS e").arrow().column("e").null_count == 1


def test_which_row_is_broken_is_said(db: gpudb.Database) -> None:
    good = image_files()
    broken = [good[0], good[0], None, b"not a file", good[1]]
    with pytest.raises(InputError, match="row 3: 10 bytes are no image that Pillow decodes"):
        db.embed("vit", broken)
    db.create_table("pictures", pa.table({"i": range(5), "p": pa.array(broken, pa.binary())}))
    with pytest.raises(InputError, match="row 1: 10 bytes are no image"):
        db.sql("SELECT embed('vit', p) FROM pictures WHERE i > 1")
    with pytest.raises(InputError, match="row 0: "):
        db.embed("vit", [good[1][:-40]])
    with pytest.raises(InputError, match="row 1: 0 bytes"):
        db.embed("vit", [good[0], b""])


def test_what_is_no_image_is_refused(db: gpudb.Database) -> None:
    with pytest.raises(InputError, match="column: row 0 is str; expected the content of image"):
        db.embed("vit", ["a text"])
    with pytest.raises(InputError, match=r"column: found .*Array of int64; expected the content"):
        db.embed("vit", pa.array([1]))
    with pytest.raises(InputError, match=r"column: found str; expected the content"):
        db.embed("vit", "picture.png")
    with pytest.raises(SqlError, match="the model reads images, found string; expected BLOB"):
        db.sql("SELECT embed('vit', 'a text')")
    with pytest.raises(UnsupportedError, match="no head for sequence classification"):
        db.classify("vit", image_files())


def test_images_are_no_pairs(tmp_path: Path) -> None:
    source = folder(tmp_path)
    random = np.random.default_rng(0)
    weights = load_file(source / "model.safetensors")
    width = len(weights["layernorm.bias"])
    head = {"classifier.weight": (2, width), "classifier.bias": (2,)}
    made = {n: random.standard_normal(shape).astype(np.float32) for n, shape in head.items()}
    save_file(weights | made, source / "model.safetensors")
    config = json.loads((source / "config.json").read_text())
    config["architectures"] = ["ViTForImageClassification"]
    (source / "config.json").write_text(json.dumps(config))
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(source, "vit")
        one = image_files()[0]
        assert db.classify("vit", [one]).arrow()["label"].to_pylist()[0] in ("LABEL_0", "LABEL_1")
        with pytest.raises(UnsupportedError, match=r"one by one; found pairs. Leave the second"):
            db.sql("SELECT classify('vit', $a, $a)", {"a": one})


def test_images_in_blocks_are_those_of_the_fused_plan(db: gpudb.Database) -> None:
    expected = db.embed("vit", image_files()).numpy("embedding")
    db.set(execution="relational", block_size=4)
    found = db.embed("vit", image_files()).numpy("embedding")
    # Sums of a few dozen numbers of order one, added in another order.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_without_pillow_the_error_says_what_to_install(
    db: gpudb.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'gpudb-tensor\[images\]'"):
        db.embed("vit", [b"any"])


def test_a_bomb_is_refused() -> None:
    data = saved(Image.new("1", (MOST_PIXELS // 4096, 4097)), "PNG")
    with pytest.raises(InputError, match=r"row 7: the image has .* more than 67,108,864"):
        AS_IT_IS.pixels(data, 3, 7)


def test_without_settings_the_model_takes_rows_of_patches_only(tmp_path: Path) -> None:
    write_encoder("vit", tmp_path)
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        db.import_model(tmp_path, "vit")
        with pytest.raises(UnsupportedError, match=r"had no preprocessor_config.json"):
            db.embed("vit", image_files())
        patches = Patches.of(VIT_CONFIG)
        rows = np.zeros((patches.places, patches.row_width), np.float32)
        hidden, _ = db.infer("vit", {"rows": rows}, [0, patches.places])
        assert np.isfinite(hidden).all()


@pytest.mark.parametrize(
    ("processor", "error"),
    [
        ({"size": {"height": 6, "width": 7}}, r"makes images of \(6, 7\), config.json takes"),
        ({"do_resize": False}, "makes images of any size"),
        ({"size": {"height": 0, "width": 6}}, "expected whole numbers of pixels"),
        ({"size": {"longest_edge": 6}}, "expected whole numbers of pixels"),
        ({"size": {"shortest_edge": 6, "longest_edge": 9}}, "expected whole numbers of pixels"),
        ({"size": {"height": 6, "width": 6, "longest_edge": 9}}, "expected whole numbers of"),
        ({"do_center_crop": True, "crop_size": {"shortest_edge": 6}}, r"images of \(6,\), config"),
        ({"size": "large"}, "expected whole numbers of pixels"),
        ({"resample": 9}, "a filter from 0 to 5"),
        ({"image_std": [1.0, 0.0, 1.0]}, "which is not 0"),
        ({"image_mean": [0.5]}, "3 numbers each"),
        ({"rescale_factor": "small"}, "3 numbers each"),
        ({"do_pad": True}, "do_pad is true"),
        ({"image_processor_type": "DonutImageProcessor"}, "the image processor is Donut"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    processor: dict[str, Any], error: str, tmp_path: Path
) -> None:
    source = folder(tmp_path, **processor)
    with gpudb.connect(tmp_path / "db", device="numpy") as db:
        with pytest.raises((CheckpointError, UnsupportedError), match=error):
            db.import_model(source, "vit")
        assert db.models() == []


def test_a_shorter_edge_then_the_middle() -> None:
    settings = ImageSettings([4], 0, [4, 4], 1.0, [], [])
    wide = np.tile(np.arange(16, dtype=np.uint8), (8, 1))
    found = settings.pixels(saved(Image.fromarray(wide), "PNG"), 1, 0)
    # Every other column of the sixteen is left, and of these eight the middle four.
    assert found[0].tolist() == [[5, 7, 9, 11]] * 4


def test_settings_of_transformers_by_default(tmp_path: Path) -> None:
    named = {"image_processor_type": "CLIPImageProcessor"}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(named))
    settings = read_image_settings(tmp_path, 3)
    assert settings is not None
    assert (settings.size, settings.crop, settings.final) == ([224], [224, 224], (224, 224))


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary(3), pa.binary_view()])
def test_bytes_of_every_type_of_arrow(kind: pa.DataType) -> None:
    found = as_bytes_column(pa.array([b"abc", None], kind))
    assert (found.type, found.to_pylist()) == (pa.large_binary(), [b"abc", None])


def test_gray_images_for_a_model_of_one_channel() -> None:
    grey = image_file("L", (3, 2), "PNG")
    assert AS_IT_IS.pixels(grey, 1, 0).shape == (1, 2, 3)
    assert AS_IT_IS.pixels(grey, 3, 0).shape == (3, 2, 3)
