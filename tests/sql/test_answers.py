"""The answers of one statement: every text once, rows in their order."""

from __future__ import annotations

import pyarrow as pa
import pytest

from gpudb.embed_options import EmbedOptions
from gpudb.functions import FUNCTIONS, NO_OPTIONS, WordOptions
from gpudb.sql.answers import Answers
from gpudb.sql.protocols import ModelCounts
from tests.sql.oracle import HashModels, vector


@pytest.fixture
def models() -> HashModels:
    return HashModels()


def column(*chunks: list[str | None], kind: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(c, kind or pa.string()) for c in chunks], kind or pa.string())


def of(
    answers: Answers, model: str, texts: pa.ChunkedArray, options: EmbedOptions | None = None
) -> tuple[pa.Array, int, ModelCounts | None]:
    return answers.of(FUNCTIONS["embed"], model, [texts], options or EmbedOptions())


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
    found, computed, counts = of(
        Answers(models), "tiny", column(*chunks, kind=kind), EmbedOptions()
    )
    assert found.to_pylist() == [None if t is None else vector("tiny", t) for t in texts]
    assert found.type == pa.list_(pa.float32(), 4)
    distinct = {t for t in texts if t is not None}
    assert computed == len(distinct) == len(models.texts)
    assert (counts is None) is (computed == 0)


def test_a_later_column_computes_only_what_is_new(models: HashModels) -> None:
    answers = Answers(models)
    of(answers, "tiny", column(["a", "b"]))
    found, computed, counts = of(
        answers, "tiny", column(["c", "b", None, "a", "c"]), EmbedOptions()
    )
    assert found.to_pylist() == [
        vector("tiny", t) if t else None for t in ["c", "b", None, "a", "c"]
    ]
    assert (computed, counts.tokens if counts else None) == (1, 1)
    assert of(answers, "tiny", column(["b", "c"]), EmbedOptions())[1:] == (0, None)
    assert models.texts == ["a", "b", "c"]


def test_models_do_not_share_vectors(models: HashModels) -> None:
    answers = Answers(models)
    first, _, _ = of(answers, "tiny", column(["a"]), EmbedOptions())
    second, computed, _ = of(answers, "other", column(["a"]), EmbedOptions())
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
    answers = Answers(models)
    of(answers, "tiny", column(["b", "a"]), EmbedOptions())
    found, computed, _ = of(answers, "tiny", column(["a", None]), options)
    assert (computed, models.texts) == (0, ["b", "a"])
    assert found.type == pa.list_(kind, len(expected))
    assert found.to_pylist() == [expected, None]
    nothing, _, _ = of(answers, "tiny", column([None]), options)
    assert nothing.type == found.type


def test_prompts_are_runs_of_their_own(models: HashModels) -> None:
    answers = Answers(models)
    plain, _, _ = of(answers, "tiny", column(["a"]), EmbedOptions())
    asked, computed, _ = of(answers, "tiny", column(["a"]), EmbedOptions(prompt="q"))
    assert computed == 1
    assert asked.to_pylist() == [vector("tiny", "qa")]
    assert plain.to_pylist() == [vector("tiny", "a")]


def test_functions_that_have_a_model_compute_the_same_share_it(models: HashModels) -> None:
    answers = Answers(models)
    for name, new in (("classify", 2), ("classify_all", 0), ("tag", 2)):
        texts = [column(["a", None, "bb", "a"])]
        found, computed, _ = answers.of(FUNCTIONS[name], "tiny", texts, NO_OPTIONS)
        assert computed == new
        assert [each is None for each in found.to_pylist()] == [False, True, False, False]
    for top, new in ((2, 1), (2, 0), (3, 1)):
        options = WordOptions(top)
        found, computed, _ = answers.of(FUNCTIONS["fill_mask"], "tiny", [column(["a"])], options)
        assert (computed, len(found[0])) == (new, top)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["a", "a", "b", None, "a", "b", None], ["x", "y", "x", "x", "x", None, None]),
        (["a", "b"], ["b", "a"]),
        ([None], ["a"]),
        ([], []),
        ([str(i % 5) for i in range(99)], [str(i % 7) * (i % 3) for i in range(99)]),
    ],
)
def test_pairs(models: HashModels, first: list[str | None], second: list[str | None]) -> None:
    answers, function = Answers(models), FUNCTIONS["score"]
    rows = list(zip(first, second, strict=True))
    for at in (0, len(rows) // 2):  # the later half is known by then
        texts = [column(first[at:]), column(second[at:])]
        found, computed, _ = answers.of(function, "tiny", texts, NO_OPTIONS)
        assert found.to_pylist() == [
            None if a is None or b is None else 100 * len(a) + len(b) for a, b in rows[at:]
        ]
        assert computed == (len({row for row in rows if None not in row}) if at == 0 else 0)
        assert found.type == pa.float32()
        if not rows:
            break
