"""The bits of a vector do not depend on what is computed beside it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import gpudb
from gpudb.backend.jit.target import TARGET
from gpudb.models.encoder import Encoder
from gpudb.models.limits import Limits
from gpudb.models.text_column import as_text_column
from gpudb.settings import Settings
from gpudb.types import HostArray
from tests import reference_encoder
from tests.tiny_model import CONFIG, WORDS, tiny_weights, write_tiny_model

ALONE = Limits(threads=1, token_budget=1, memory_nbytes=1 << 30)
BUDGETS = (1, 7, 64, 1024)
THREADS = (1, 2, 4)
PRECISIONS = [
    "float32",
    pytest.param(
        "bfloat16", marks=pytest.mark.skipif(not TARGET.bfloat16, reason="needs AVX512_BF16")
    ),
    pytest.param("int8", marks=pytest.mark.skipif(not TARGET.int8, reason="needs AVX512_VNNI")),
]
# Vectors of length one: of float32 sums, and of factors with 8 and about 7 bits through two layers.
AGAINST_FLOAT64 = {"float32": 2e-6, "bfloat16": 0.03, "int8": 0.06}


@pytest.fixture(scope="module", params=PRECISIONS)
def encoder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Encoder]:
    root = tmp_path_factory.mktemp("tiny")
    with gpudb.connect(root / "db", device="jit", precision=request.param) as db:
        db.import_model(write_tiny_model(root / "model"), "tiny")
        yield db._library.encoder("tiny")


def embed(encoder: Encoder, texts: list[str], **limits: int) -> HostArray:
    fresh = replace(encoder, limits=replace(ALONE, **limits))
    return fresh.embed(as_text_column(texts), Settings())[0]


def texts_of(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS[4:-1], k=rng.randint(0, 10))) for _ in range(count)]


@pytest.fixture(scope="module")
def alone(encoder: Encoder) -> tuple[list[str], HostArray]:
    """Texts, and the vector of each by itself."""
    texts = texts_of(50, 1)
    return texts, np.concatenate([embed(encoder, [text]) for text in texts])


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("budget", BUDGETS)
def test_bits_depend_on_neither_batch_nor_budget_nor_threads(
    encoder: Encoder, alone: tuple[list[str], HostArray], budget: int, threads: int
) -> None:
    texts, expected = alone
    order = random.Random(budget * threads).sample(range(len(texts)), len(texts))
    for some in (order, order[::-1], order[:7]):
        found = embed(encoder, [texts[i] for i in some], threads=threads, token_budget=budget)
        np.testing.assert_array_equal(found.view(np.uint32), expected[some].view(np.uint32))


def test_vectors_are_about_those_of_float64(
    encoder: Encoder, alone: tuple[list[str], HostArray]
) -> None:
    texts, found = alone
    assert encoder.tokenizer is not None
    tokens = encoder.tokenizer.encode(as_text_column(texts))
    types = np.zeros_like(tokens.values)
    hidden = reference_encoder.bert(CONFIG, tiny_weights(), tokens.values, types, tokens.offsets)
    pooled = reference_encoder.pool(hidden, tokens.offsets, "mean")
    expected = reference_encoder.normalize(pooled, 1e-12)
    precision = encoder.backend.packs
    assert np.abs(found - expected).max() <= AGAINST_FLOAT64[precision]
    if precision != "float32":
        assert np.abs(found - expected).max() > AGAINST_FLOAT64["float32"]  # it is rounded
