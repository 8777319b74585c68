"""Answers of models with heads, against float64 NumPy."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import gpudb
from gpudb.errors import InputError, UnsupportedError
from tests import reference_encoder
from tests.models.head_oracle import LABELS, TEXTS, VOCABULARY, answered, hidden, ids_of, logits
from tests.tiny_model import (
    HEAD_CONFIG,
    WORDS,
    lively_weights,
    tiny_head_weights,
    write_tiny_head,
)

LARGEST = 2e-5
"""Of probabilities: logits are of the order of 5."""

FUNCTIONS = {
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "identity": lambda x: x,
}


@pytest.mark.parametrize("device", ["numpy", "jit"])
@pytest.mark.parametrize(
    ("outputs", "problem", "function"),
    [
        (3, None, "softmax"),
        (3, "single_label_classification", "softmax"),
        (3, "multi_label_classification", "sigmoid"),
        (3, "regression", "identity"),
        (1, None, "sigmoid"),
        (1, "regression", "identity"),
        (17, None, "softmax"),
    ],
)
def test_classify(
    tmp_path: Path, device: str, outputs: int, problem: str | None, function: str
) -> None:
    if device == "jit":
        pytest.importorskip("numba")
    named = {"id2label": LABELS} if outputs == 3 else {}
    folder = write_tiny_head(
        tmp_path / "model", "SequenceClassification", outputs, problem_type=problem, **named
    )
    labels = list(named.get("id2label", {}).values()) or [f"LABEL_{i}" for i in range(outputs)]
    with answered(folder, tmp_path, device) as db:
        found = db.classify("m", TEXTS)
    rows = found.fetchall()
    assert rows[4] == (None, None, None)
    assert (found.stats.texts, found.stats.distinct_texts) == (6, 4)
    for text, (label, probability, probabilities) in zip(TEXTS, rows, strict=True):
        if text is not None:
            expected = FUNCTIONS[function](logits("SequenceClassification", outputs, text))
            assert [name for name, _ in probabilities] == labels
            np.testing.assert_allclose([p for _, p in probabilities], expected, atol=LARGEST)
            assert (label, probability) == probabilities[int(np.argmax(expected))]


@pytest.mark.parametrize(
    ("config", "function"),
    [
        ({}, "sigmoid"),
        ({"problem_type": "regression"}, "sigmoid"),
        ({"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}, ""),
        ({"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, ""),
        ({"sentence_transformers": {"activation_fn": "torch.nn.Sigmoid"}}, "sigmoid"),
        ({"sentence_transformers": {"activation_fn": "theirs.Own"}}, "sigmoid"),
    ],
)
def test_score(tmp_path: Path, config: dict[str, Any], function: str) -> None:
    folder = write_tiny_head(tmp_path / "model", "SequenceClassification", 1, **config)
    first = ["the cat", "the cat", "", None, "a"]
    second = ["sat on the mat", "", "", "a", None]
    with answered(folder, tmp_path) as db:
        scores = db.score("m", first, second).numpy("score")
        query = db.score("m", "the cat", second).numpy("score")
        (single,) = db.score("m", "the cat", "sat on the mat").numpy("score")
    assert np.isnan(scores[3:]).all()
    np.testing.assert_allclose([*query[:2], single], [*scores[:2], scores[0]], atol=1e-6)
    for a, b, score in zip(first[:3], second[:3], scores, strict=False):
        assert a is not None
        assert b is not None
        types = [0] * (2 + len(a.split())) + [1] * (1 + len(b.split()))
        (logit,) = logits("SequenceClassification", 1, a, b, types=types)
        expected = FUNCTIONS[function or "identity"](logit)
        assert score == pytest.approx(expected, abs=LARGEST)


def test_pairs_are_classified(tmp_path: Path) -> None:
    folder = write_tiny_head(tmp_path / "model", "SequenceClassification", 3)
    first, second = ["the cat", "the cat", "a", None], ["sat on the mat", "", "a", "a"]
    with answered(folder, tmp_path) as db:
        found = [p for _, _, p in db.classify("m", first, second)]
        single = db.classify("m", first, "a").numpy("label")
        db.create_table("t", pa.table({"n": range(4), "a": first, "b": second}))
        in_sql = db.sql("SELECT classify_all('m', a, b), classify('m', a, 'a').label FROM t")
        assert [p for p, _ in in_sql] == _rounded(found)
        assert [label for _, label in in_sql] == list(single)
    assert found[3] is None
    for a, b, probabilities in zip(first[:3], second[:3], found, strict=False):
        assert a is not None
        types = [0] * (2 + len(a.split())) + [1] * (1 + len(b.split()))
        expected = FUNCTIONS["softmax"](logits("SequenceClassification", 3, a, b, types=types))
        np.testing.assert_allclose([p for _, p in probabilities], expected, atol=LARGEST)


def test_pairs_lose_tokens_of_the_longer_text_first(tmp_path: Path) -> None:
    folder = write_tiny_head(tmp_path / "model", "SequenceClassification", 1)
    with answered(folder, tmp_path) as db:  # 12 positions, three of them for special tokens
        long = db.score("m", "a b c " * 9, "the cat").numpy("score")
        cut = db.score("m", "a b c a b c a", "the cat").numpy("score")
        both = db.score("m", "a b c " * 9, "the cat sat " * 9).numpy("score")
        cut_both = db.score("m", "a b c a", "the cat sat the cat").numpy("score")
    assert np.ptp([long, cut, both, cut_both]) > 1e-3
    np.testing.assert_allclose(long, cut, atol=1e-6)
    np.testing.assert_allclose(both, cut_both, atol=1e-6)


TAGS = {"0": "O", "1": "place", "2": "B-cat", "3": "I-cat"}


def test_tag(tmp_path: Path) -> None:
    folder = write_tiny_head(tmp_path / "model", "TokenClassification", 4, id2label=TAGS)
    texts = [" ".join(words) for words in itertools.product(WORDS[4:14], repeat=2)] + TEXTS
    with answered(folder, tmp_path) as db:
        found = [row for (row,) in db.tag("m", texts)]
    assert found[-2] is None
    assert {len(spans) for spans in found if spans is not None} >= {0, 1, 2}
    for text, spans in zip(texts, found, strict=True):
        if text is not None:
            expected = _spans(text)
            assert [{**s, "probability": 0} for s in spans] == [
                {**s, "probability": 0} for s in expected
            ]
            for one, other in zip(spans, expected, strict=True):
                assert one["probability"] == pytest.approx(other["probability"], abs=LARGEST)


def _spans(text: str) -> list[dict[str, Any]]:
    """Token by token, from the words of the rule."""
    rows = reference_encoder.bert_tagger(
        tiny_head_weights("TokenClassification", 4), hidden(ids_of(text))
    )
    at, spans, before = 0, [], ""
    for word, row in zip(text.split(), reference_encoder.softmax(rows)[1:-1], strict=True):
        start = text.index(word, at)
        at = start + len(word)
        label = TAGS[str(row.argmax())]
        kind = label.removeprefix("B-").removeprefix("I-")
        if kind == before and not label.startswith("B-"):
            spans[-1]["stop"] = at
            spans[-1]["each"].append(row.max())
        else:
            spans.append({"label": kind, "start": start, "stop": at, "each": [row.max()]})
        before = kind
    return [
        {
            "label": s["label"],
            "text": text[s["start"] : s["stop"]],
            "probability": float(np.mean(s["each"])),
            "start": s["start"],
            "stop": s["stop"],
        }
        for s in spans
        if s["label"] != "O"
    ]


@pytest.mark.parametrize("tied", [True, False])
def test_fill_mask(tmp_path: Path, tied: bool) -> None:
    config = {} if tied else {"tie_word_embeddings": False}
    folder = write_tiny_head(tmp_path / "model", "MaskedLM", **config)
    texts = ["the [MASK] sat", "[MASK]", None, "the [MASK] sat", "a dog ran on the [MASK]"]
    with answered(folder, tmp_path) as db:
        found = [words for (words,) in db.fill_mask("m", texts, top=3)]
        everything = [words for (words,) in db.fill_mask("m", texts, top=99)]
    assert found[2] is None
    assert [len(words) for words in everything if words] == [16] * 4
    for text, words in zip(texts, found, strict=True):
        if text is None:
            continue
        ids = ids_of(text)
        rows = hidden(ids, **config)
        head = tiny_head_weights("MaskedLM", 16, **config)
        weights = {**lively_weights(), **head}
        expected = reference_encoder.softmax(
            reference_encoder.bert_words(HEAD_CONFIG, weights, rows)
        )[ids.index(VOCABULARY["[MASK]"])]
        best = np.argsort(-expected)[:3]
        assert [w["token"] for w in words] == [[*WORDS, "[MASK]"][number] for number in best]
        np.testing.assert_allclose([w["probability"] for w in words], expected[best], atol=LARGEST)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["the cat"], r"'the cat' has 0 tokens \[MASK\]"),
        (["[MASK]", "[MASK] [MASK]"], r"has 2 tokens \[MASK\].*expected one"),
        (["a " * 20 + "[MASK]"], r"has 0 tokens.*cut to 12 tokens"),
        ([""], "has 0 tokens"),
    ],
)
def test_texts_without_exactly_one_mask(tmp_path: Path, texts: list[str], message: str) -> None:
    with (
        answered(write_tiny_head(tmp_path / "model", "MaskedLM"), tmp_path) as db,
        pytest.raises(InputError, match=message),
    ):
        db.fill_mask("m", texts)


def test_no_texts(tmp_path: Path) -> None:
    for task, outputs in (("SequenceClassification", 1), ("TokenClassification", 2)):
        write_tiny_head(tmp_path / task, task, outputs)
    write_tiny_head(tmp_path / "MaskedLM", "MaskedLM")
    with gpudb.connect(device="numpy") as db:
        for name in ("SequenceClassification", "TokenClassification", "MaskedLM"):
            db.import_model(tmp_path / name, name)
        for texts in ([], [None]):
            nothing = [(None,)] * len(texts)
            assert db.classify("SequenceClassification", texts).fetchall() == [
                (None, None, None)
            ] * len(texts)
            assert db.score("SequenceClassification", texts, texts).fetchall() == nothing
            assert db.tag("TokenClassification", texts).fetchall() == nothing
            assert db.fill_mask("MaskedLM", texts).fetchall() == nothing


def test_relational_execution_answers_the_same(tmp_path: Path) -> None:
    folders = {
        "classify": write_tiny_head(tmp_path / "a", "SequenceClassification", 3),
        "tag": write_tiny_head(tmp_path / "b", "TokenClassification", 4, id2label=TAGS),
        "fill_mask": write_tiny_head(tmp_path / "c", "MaskedLM"),
    }
    texts = ["the cat [MASK]", "[MASK]", "a dog ran on the [MASK]"]

    with gpudb.connect(device="numpy") as db:
        for name, folder in folders.items():
            db.import_model(folder, name)
        fused = [getattr(db, name)(name, texts).fetchall() for name in folders]
        db.set(execution="relational", block_size=5)
        relational = [getattr(db, name)(name, texts) for name in folders]
        assert all(result.stats.execution == "relational" for result in relational)
        assert [r.fetchall() for r in relational] == _rounded(fused)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return pytest.approx(value, abs=LARGEST)
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return type(value)(map(_rounded, value)) if isinstance(value, list | tuple) else value


def test_in_sql_as_in_python(tmp_path: Path) -> None:
    for name, task, outputs in (
        ("labels", "SequenceClassification", 3),
        ("pairs", "SequenceClassification", 1),
        ("tags", "TokenClassification", 4),
        ("words", "MaskedLM", len(WORDS) + 1),
    ):
        write_tiny_head(tmp_path / name, task, outputs)
    texts = ["the cat [MASK]", "a [MASK]", None, "the cat [MASK]"]
    with gpudb.connect(device="numpy") as db:
        for name in ("labels", "pairs", "tags", "words"):
            db.import_model(tmp_path / name, name)
        db.create_table("t", pa.table({"n": range(4), "text": texts, "other": texts[::-1]}))
        asked = {
            "classify('labels', text)": ["label", db.classify("labels", texts).fetchall()],
            "tag('tags', text)": [None, db.tag("tags", texts).fetchall()],
            "score('pairs', text, other)": [None, db.score("pairs", texts, texts[::-1]).fetchall()],
            "fill_mask('words', text)": [None, db.fill_mask("words", texts).fetchall()],
        }
        for call, (field, expected) in asked.items():
            answers = [row for (row,) in db.sql(f"SELECT {call} FROM t ORDER BY n")]
            if field is not None:
                answers = [row and row[field] for row in answers]
            assert answers == [row[0] for row in expected]
        both = db.sql(
            "EXPLAIN ANALYZE SELECT classify('labels', text).label, classify_all('labels', text) "
            "FROM t"
        )
        plans = both.report.plans
        assert [(plan.name, plan.counts["distinct_texts"]) for plan in plans] == [("labels@1", 2)]
        assert "classify of labels over distinct text" in both.plan_text
        assert "logical plan of labels@1 (classify), after the rules" in both.plan_text
        words = db.explain("SELECT fill_mask('words', text) FROM t")
        assert "(hidden), after" in words
        assert "(fill_mask), after" in words
        assert "Join" in db.explain("SELECT tag('tags', text) FROM t", relational=True)
        with pytest.raises(UnsupportedError, match="tag: model labels@1 has no head for token"):
            db.sql("SELECT tag('labels', text) FROM t")
        with pytest.raises(UnsupportedError, match="score: model tags@1 has no head for sequence"):
            db.explain("SELECT score('tags', text, other) FROM t")
        db.sql("CREATE TABLE kept AS SELECT n, classify_all('labels', text) AS p FROM t")
        assert len(db.sql("SELECT p['LABEL_1'] FROM kept WHERE n = 0").fetchall()) == 1


def test_many_texts_at_once_are_answered_like_each_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPUDB_TOKEN_BUDGET", "13")
    write_tiny_head(tmp_path / "tags", "TokenClassification", 4, id2label=TAGS)
    write_tiny_head(tmp_path / "words", "MaskedLM")
    rng = np.random.default_rng(3)
    texts = [
        " ".join(rng.choice(WORDS[4:14], length)) + " [MASK]" for length in rng.integers(0, 9, 60)
    ]
    with gpudb.connect(device="numpy", threads=3) as db:
        for name in ("tags", "words"):
            db.import_model(tmp_path / name, name)
        for ask in (partial(db.tag, "tags"), partial(db.fill_mask, "words")):
            together = ask(texts)
            assert together.stats.batches > 3
            one_by_one = [ask([text]).fetchone() for text in texts]
            assert together.fetchall() == _rounded(one_by_one)


def test_weights_in_fewer_bits(tmp_path: Path) -> None:
    write_tiny_head(tmp_path / "words", "MaskedLM")
    texts = ["the [MASK] sat on the mat"]
    with gpudb.connect(device="numpy") as db:
        found = {}
        for dtype in (None, "float16", "int8"):
            db.import_model(tmp_path / "words", "m", dtype=dtype)
            (words,) = db.fill_mask("m", texts, top=16).fetchone()
            found[dtype] = np.array([w["probability"] for w in sorted(words, key=str)])
    assert np.abs(found["float16"] - found[None]).max() < 1e-2
    assert np.abs(found["int8"] - found[None]).max() < 1e-1
