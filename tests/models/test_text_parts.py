"""Long columns are tokenised in parts: answers, counts and errors are those of the whole."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import gpudb
from gpudb.errors import InputError, MemoryBudgetError
from gpudb.models import reading
from gpudb.models.encoder import Encoder
from gpudb.models.statistics import InferStatistics
from gpudb.models.text_column import as_text_column
from gpudb.models.tokenizer import TextTokenizer, Tokens
from gpudb.settings import Settings
from gpudb.types import HostArray
from tests.tiny_model import WORDS, write_tiny_model

BATCHING = 1e-6
"""What is promised between any two batchings."""

PATIENCE = 30
"""Seconds, of a test that fails."""


@pytest.fixture(params=["numpy", "jit"])
def db(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[gpudb.Database]:
    with gpudb.connect(tmp_path / "db", device=request.param, threads=2) as database:
        database.import_model(write_tiny_model(tmp_path / "model"), "tiny")
        yield database


def texts(count: int) -> list[str]:
    """Distinct texts of 0 to 12 words."""
    rng = random.Random(count)
    return [f"{' '.join(rng.choices(WORDS[4:-1], k=rng.randint(0, 12)))} {i}" for i in range(count)]


@pytest.mark.parametrize("count", [1, 6, 7, 8, 14, 15, 50])
@pytest.mark.parametrize("execution", ["fused", "relational"])
def test_parts_change_no_answer_and_no_count(
    db: gpudb.Database, monkeypatch: pytest.MonkeyPatch, count: int, execution: str
) -> None:
    db.set(execution=execution)
    column = texts(count)
    whole = db.embed("tiny", column)
    monkeypatch.setattr(reading, "PART_TEXTS", 7)
    parts = db.embed("tiny", column)
    found, expected = parts.numpy("embedding"), whole.numpy("embedding")
    if whole.stats.device == "jit" and execution == "fused":
        np.testing.assert_array_equal(found, expected)
    else:  # BLAS may add up in another order for other batches
        np.testing.assert_allclose(found, expected, atol=BATCHING)
    for name in ("texts", "distinct_texts", "tokens", "padded_tokens"):
        assert getattr(parts.stats, name) == getattr(whole.stats, name)
    assert parts.stats.batches >= -(-count // 7)
    assert 0 < parts.stats.tokenize_seconds < parts.stats.seconds
    runs = parts.stats.profile.runs
    if execution == "relational":
        assert len(runs) == 1  # plans over blocks differ: the first is measured
    else:
        assert sum(sizes["tokens"] for sizes in runs) == parts.stats.tokens
        assert len(runs) == parts.stats.batches
        assert parts.stats.flops == whole.stats.flops


def test_parts_are_about_as_long_as_each_other(
    db: gpudb.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths: list[int] = []
    encode = TextTokenizer.encode

    def counted(self: TextTokenizer, column: pa.ChunkedArray) -> Tokens:
        lengths.append(len(column))
        return encode(self, column)

    monkeypatch.setattr(reading, "PART_TEXTS", 10)
    monkeypatch.setattr(TextTokenizer, "encode", counted)
    db.embed("tiny", texts(21))
    assert lengths == [7, 7, 7]


def test_the_next_texts_are_tokenised_while_some_are_computed(
    db: gpudb.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = threading.Event()
    encode, run = TextTokenizer.encode, Encoder._run_part
    waited: list[bool] = []

    def seen(self: TextTokenizer, column: pa.ChunkedArray) -> Tokens:
        if column[0].as_py() == "the second":
            second.set()
        return encode(self, column)

    def waiting(self: Encoder, *args: Any) -> Any:
        waited.append(second.wait(PATIENCE))
        return run(self, *args)

    monkeypatch.setattr(reading, "PART_TEXTS", 1)
    monkeypatch.setattr(TextTokenizer, "encode", seen)
    monkeypatch.setattr(Encoder, "_run_part", waiting)
    db.embed("tiny", ["the first", "the second"])
    assert waited == [True, True]


def test_an_error_in_a_later_part_is_raised(
    db: gpudb.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = TextTokenizer.encode

    def refusing(self: TextTokenizer, column: pa.ChunkedArray) -> Tokens:
        if "a broken one" in column.to_pylist():
            raise InputError("texts: a broken one")
        return encode(self, column)

    monkeypatch.setattr(reading, "PART_TEXTS", 2)
    monkeypatch.setattr(TextTokenizer, "encode", refusing)
    with pytest.raises(InputError, match="a broken one"):
        db.embed("tiny", [*texts(9), "a broken one", "another"])
    assert len(db.embed("tiny", texts(9)).numpy("embedding")) == 9


def test_parts_keep_within_the_memory_limit(
    db: gpudb.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PART_TEXTS", 2)
    column = as_text_column(["a", "cat", "the", "fox", "the red fox " * 9, "fox " * 20])
    encoder = db._library.encoder("tiny")

    def limited(**changes: Any) -> tuple[HostArray, InferStatistics]:
        limits = replace(encoder.limits, **changes)
        return replace(encoder, limits=limits).embed(column, Settings())

    expected, least = limited(threads=1, token_budget=1)
    needed = least.resident_nbytes + least.projected_nbytes
    found, tight = limited(memory_nbytes=needed)
    assert tight.resident_nbytes + tight.projected_nbytes <= needed
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(MemoryBudgetError, match=f"needs {needed:,} bytes"):
        limited(memory_nbytes=needed - 1)
