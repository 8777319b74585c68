"""From a folder to vectors: every file of a model folder has its effect on them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import gpudb
from gpudb.models.text_column import as_text_column
from gpudb.types import HostArray
from tests import reference_encoder
from tests.tiny_model import CONFIG, tiny_weights, write_tiny_model

TEXTS = ["the cat sat on the mat", "a", "", "dogs ran", "the dog", "b c a the cat dog ran on mat"]
# Float32 sums of at most 40 products through two layers; vectors of about unit size.
AGAINST_FLOAT64 = 5e-6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "model")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[gpudb.Database]:
    with gpudb.connect(tmp_path / "db", device="numpy", threads=2) as database:
        yield database


def vectors(db: gpudb.Database, name: str) -> HostArray:
    return db.embed(name, TEXTS).numpy("embedding")


def expected(
    db: gpudb.Database, name: str, weights: Any, pooling: str = "mean", unit: bool = True
) -> Any:
    """In float64, over the token ids of model ``name``."""
    tokenizer = db._library.encoder(name).tokenizer
    assert tokenizer is not None
    tokens = tokenizer.encode(as_text_column(TEXTS))
    types = np.zeros_like(tokens.values)
    hidden = reference_encoder.bert(CONFIG, weights, tokens.values, types, tokens.offsets)
    pooled = reference_encoder.pool(hidden, tokens.offsets, pooling)
    return reference_encoder.normalize(pooled, 1e-12) if unit else pooled


def check(found: HostArray, wanted: Any) -> None:
    scale = max(1.0, float(np.abs(wanted).max()))
    assert np.abs(found - wanted).max() <= AGAINST_FLOAT64 * scale


@pytest.mark.parametrize("block", [None, (16, 16), (1, 5), (1000, 1000)], ids=str)
def test_any_block_shape_gives_the_float64_vectors(
    db: gpudb.Database, folder: Path, block: tuple[int, int] | None
) -> None:
    db.import_model(folder, "tiny", block=block)
    check(vectors(db, "tiny"), expected(db, "tiny", tiny_weights()))


def test_float16_weights_are_computed_as_what_they_are(db: gpudb.Database, folder: Path) -> None:
    half = {name: values.astype(np.float16) for name, values in tiny_weights().items()}
    save_file(half, folder / "model.safetensors")
    db.import_model(folder, "half")
    check(vectors(db, "half"), expected(db, "half", half))
    # The rounding of the weights is far above the tolerance: the two cannot be mistaken.
    difference = np.abs(vectors(db, "half") - expected(db, "half", tiny_weights())).max()
    assert difference > 10 * AGAINST_FLOAT64


@pytest.mark.parametrize("unit", [True, False], ids=["unit", "as they are"])
@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_modules_decide_pooling_and_length(
    db: gpudb.Database, folder: Path, pooling: str, unit: bool
) -> None:
    key = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}[pooling]
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{key}": True}))
    if not unit:
        modules = json.loads((folder / "modules.json").read_text())
        (folder / "modules.json").write_text(json.dumps(modules[:2]))
    db.import_model(folder, "tiny")
    check(vectors(db, "tiny"), expected(db, "tiny", tiny_weights(), pooling, unit))


def test_max_seq_length_cuts_texts(db: gpudb.Database, folder: Path) -> None:
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 4}')
    db.import_model(folder, "short")
    cut, whole = db.embed("short", ["the cat sat on the mat", "the cat"]).numpy("embedding")
    np.testing.assert_array_equal(cut, whole)
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 5}')
    db.import_model(folder, "longer")
    cut, whole = db.embed("longer", ["the cat sat on the mat", "the cat"]).numpy("embedding")
    assert np.abs(cut - whole).max() > 1e-3


def test_tokenizer_json_and_vocab_txt_give_the_same(db: gpudb.Database, folder: Path) -> None:
    db.import_model(folder, "words")
    encoder = db._library.encoder("words")
    assert encoder.version.tokenizer is not None
    (text,) = db._library._store.catalog.rows("SELECT json FROM tokenizer")[0]
    (folder / "tokenizer.json").write_text(text)
    (folder / "vocab.txt").unlink()
    db.import_model(folder, "json")
    np.testing.assert_array_equal(vectors(db, "json"), vectors(db, "words"))


def test_a_dropped_version_gives_its_bytes_back_and_no_others(
    db: gpudb.Database, folder: Path, tmp_path: Path
) -> None:
    db.import_model(folder, "tiny")
    first = vectors(db, "tiny")
    alone = db.sql("SELECT sum(bytes) FROM gpudb.pages").fetchone()
    again = db.import_model(folder, "tiny")
    assert (again.version, again.new_nbytes) == (2, 0)
    assert db.sql("SELECT sum(bytes) FROM gpudb.pages").fetchone() == alone
    other = db.import_model(write_tiny_model(tmp_path / "other", seed=1), "tiny")
    assert (other.version, other.new_nbytes > 0) == (3, True)
    db.drop_model("tiny@3")
    db.drop_model("tiny@1")
    db.vacuum()
    assert db.sql("SELECT sum(bytes) FROM gpudb.pages").fetchone() == alone
    np.testing.assert_array_equal(vectors(db, "tiny"), first)  # version 2: blocks of version 1
    db.drop_model("tiny")
    db.vacuum()
    assert list((db.folder / "pages").rglob("*.arrow")) == []
