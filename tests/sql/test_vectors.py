"""The vectors of one statement: every text once, rows in their order."""

from __future__ import annotations

import pyarrow as pa
import pytest

from gpudb.embed_options import EmbedOptions
from gpudb.sql.vectors import Vectors
from tests.sql.oracle import HashModels, vector


@pytest.fixture
def models() -> HashModels:
    return HashModels()


def column(*chunks: list[str | None], kind: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(c, kind or pa.string()) for c in chunks], kind or pa.string())


@pytest.mark.parametrize(
    "chunks",
    [
        [["a", "b", "a", None, "b"]],
        [["a"], [], [None, "b"], ["a", "a"]],
        [[None, None]],
        [["ä🦆", "", " ", "ä🦆"]],
        [[str(i % 7) for i in range(100)]],
        [[]],
        [],
    ],
)
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_vectors_in_the_order_of_the_rows(
    models: HashModels, chunks: list[list[str | None]], kind: pa.DataType
) -> None:
    texts = [t for chunk in chunks for t in chunk]
    found, computed, counts = Vectors(models).of("tiny", column(*chunks, kind=kind), EmbedOptions())
    assert found.to_pylist() == [None if t is None else vector("tiny", t) for t in texts]
    assert found.type == pa.list_(pa.float32(), 4)
    distinct = {t for t in texts if t is not None}
    assert computed == len(distinct) == len(models.texts)
    assert (counts is None) is (computed == 0)


def test_a_later_column_computes_only_what_is_new(models: HashModels) -> None:
    vectors = Vectors(models)
    vectors.of("tiny", column(["a", "b"]), EmbedOptions())
    found, computed, counts = vectors.of("tiny", column(["c", "b", None, "a", "c"]), EmbedOptions())
    assert found.to_pylist() == [
        vector("tiny", t) if t else None for t in ["c", "b", None, "a", "c"]
    ]
    assert (computed, counts.tokens if counts else None) == (1, 1)
    assert vectors.of("tiny", column(["b", "c"]), EmbedOptions())[1:] == (0, None)
    assert models.texts == ["a", "b", "c"]


def test_models_do_not_share_vectors(models: HashModels) -> None:
    vectors = Vectors(models)
    first, _, _ = vectors.of("tiny", column(["a"]), EmbedOptions())
    second, computed, _ = vectors.of("other", column(["a"]), EmbedOptions())
    assert (first.to_pylist(), second.to_pylist()) == (
        [vector("tiny", "a")],
        [vector("other", "a")],
    )
    assert computed == 1


@pytest.mark.parametrize(
    ("options", "kind", "expected"),
    [
        (EmbedOptions(2), pa.float32(), vector("tiny", "a")[:2]),
        (EmbedOptions(4, dtype="float16"), pa.float16(), vector("tiny", "a")),
        (EmbedOptions(dtype="binary"), pa.uint8(), [0b11110000]),
    ],
)
def test_forms_of_a_vector_come_from_one_run(
    models: HashModels, options: EmbedOptions, kind: pa.DataType, expected: list[float]
) -> None:
    vectors = Vectors(models)
    vectors.of("tiny", column(["b", "a"]), EmbedOptions())
    found, computed, _ = vectors.of("tiny", column(["a", None]), options)
    assert (computed, models.texts) == (0, ["b", "a"])
    assert found.type == pa.list_(kind, len(expected))
    assert found.to_pylist() == [expected, None]
    nothing, _, _ = vectors.of("tiny", column([None]), options)
    assert nothing.type == found.type


def test_prompts_are_runs_of_their_own(models: HashModels) -> None:
    vectors = Vectors(models)
    plain, _, _ = vectors.of("tiny", column(["a"]), EmbedOptions())
    asked, computed, _ = vectors.of("tiny", column(["a"]), EmbedOptions(prompt="q"))
    assert computed == 1
    assert asked.to_pylist() == [vector("tiny", "qa")]
    assert plain.to_pylist() == [vector("tiny", "a")]
