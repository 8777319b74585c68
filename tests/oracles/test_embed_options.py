"""Poolings, prompts, fewer dimensions and fewer bits against sentence-transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpudb
from gpudb.types import HostArray
from tests.models.test_dense import layers, write_dense
from tests.oracles.conftest import Report
from tests.tiny_model import WORDS, write_tiny_model

# Float32 on both sides, two layers; their batches are padded, ours are not.
LARGEST = 1e-5

TEXTS = ["the cat sat on the mat", "a", "", "dogs ran", "b c a b c a b c", "the dog"]
PROMPTS = {"query": "the dog ran ", "passage": "on "}

pytestmark = pytest.mark.oracle


def model_folder(path: Path, pooling: str = "mean", unit: bool = True, **prompts: Any) -> Path:
    """A random model; the position of a token counts, so that any pooling differs."""
    folder = write_tiny_model(path, seed=3, max_position_embeddings=20)
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 24, "pooling_mode": pooling})
    )
    if not unit:
        modules = json.loads((folder / "modules.json").read_text())
        (folder / "modules.json").write_text(json.dumps(modules[:2]))
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True})
    )
    assert len(WORDS) == 15
    return folder


def theirs(folder: Path, **options: Any) -> HostArray:
    library = pytest.importorskip("sentence_transformers")
    model = library.SentenceTransformer(str(folder), device="cpu")
    found: HostArray = model.encode(TEXTS, show_progress_bar=False, **options)
    return found


def ours(folder: Path, **options: Any) -> HostArray:
    with gpudb.connect(device="numpy") as db:
        db.import_model(folder, "m")
        found: HostArray = db.embed("m", TEXTS, **options).numpy("embedding")
    return found


def compare(found: HostArray, expected: HostArray, report: Report) -> None:
    difference = float(np.abs(found - expected).max())
    report(f"{difference:.2e}")
    assert found.shape == expected.shape
    assert difference <= LARGEST


@pytest.mark.parametrize(
    "pooling", ["mean", "cls", "max", "lasttoken", "mean_sqrt_len_tokens", "weightedmean"]
)
@pytest.mark.parametrize("unit", [True, False], ids=["unit", "as they are"])
def test_poolings(tmp_path: Path, pooling: str, unit: bool, report: Report) -> None:
    folder = model_folder(tmp_path, pooling, unit)
    compare(ours(folder), theirs(folder), report)


@pytest.mark.parametrize("unit", [True, False], ids=["unit", "as they are"])
@pytest.mark.parametrize("dimensions", [1, 8, 23])
def test_fewer_dimensions(tmp_path: Path, dimensions: int, unit: bool, report: Report) -> None:
    folder = model_folder(tmp_path, unit=unit)
    expected = theirs(folder, truncate_dim=dimensions, normalize_embeddings=unit)
    compare(ours(folder, dimensions=dimensions), expected, report)


@pytest.mark.parametrize("unit", [True, False], ids=["unit", "as they are"])
def test_linear_steps_after_the_pooling(tmp_path: Path, unit: bool, report: Report) -> None:
    folder = write_dense(model_folder(tmp_path), layers(), unit)
    compare(ours(folder), theirs(folder), report)


@pytest.mark.parametrize("name", [None, "query", "passage"])
@pytest.mark.parametrize("default", [None, "passage"])
def test_prompts(tmp_path: Path, name: str | None, default: str | None, report: Report) -> None:
    folder = model_folder(tmp_path, prompts=PROMPTS, default_prompt_name=default)
    compare(ours(folder, prompt=name), theirs(folder, prompt_name=name), report)


@pytest.mark.parametrize("dtype", ["int8", "binary"])
@pytest.mark.parametrize("dimensions", [24, 13])
def test_fewer_bits(tmp_path: Path, dtype: str, dimensions: int) -> None:
    """Of the same float32 vectors; int8 with ranges that make its steps ours.

    sentence-transformers numbers the steps from the lower end of a range: 128.5 of ours below zero.
    """
    quantization = pytest.importorskip("sentence_transformers.util.quantization")
    folder = model_folder(tmp_path)
    exact = ours(folder, dimensions=dimensions)
    found = ours(folder, dimensions=dimensions, dtype=dtype)
    for vector, expected in zip(exact, found, strict=True):
        step = np.abs(vector).max() / 127
        ranges = step * np.stack([np.full_like(vector, -128.5), np.full_like(vector, 126.5)])
        precision = {"int8": "int8", "binary": "ubinary"}[dtype]
        (one,) = quantization.quantize_embeddings(vector[None], precision, ranges=ranges)
        unclear = abs(vector / step % 1 - 0.5) < 1e-3  # in the middle between two steps
        sure = ~unclear if dtype == "int8" else np.full(len(one), True)
        assert sure.sum() > len(one) // 2
        np.testing.assert_array_equal(one[sure], expected[sure])
