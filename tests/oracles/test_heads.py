"""Answers of models with heads, beside transformers' pipelines and ``CrossEncoder``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpudb
from tests.oracles.conftest import Report
from tests.oracles.parity import randomized
from tests.oracles.tokenizers_of_tests import PADDING, SENTENCES, trained

pytestmark = pytest.mark.oracle

LARGEST = 1e-4
"""Of probabilities; float32 on both sides, in another order."""
LONGEST = 40
TEXTS = [*SENTENCES, "", "cat", "New  York\tCity", "Ada's cat; 東京 (Zürich)", "the the the"]

SIZES = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 33,
    "max_position_embeddings": LONGEST + 4,
    "initializer_range": 0.4,
    "pad_token_id": PADDING,
}
MARKS = {"bos_token_id": 0, "cls_token_id": 0, "eos_token_id": 2, "sep_token_id": 2}
"""Their numbers beyond the vocabulary would be refused."""
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "Bert": ("wordpiece", {}),
    "DistilBert": ("wordpiece", {"dim": 24, "n_layers": 2, "n_heads": 3, "hidden_dim": 33}),
    "Electra": ("wordpiece", {"embedding_size": 16}),
    "Roberta": ("bytes", {"type_vocab_size": 1}),
    "Albert": ("unigram", {"embedding_size": 16}),
    "MPNet": ("wordpiece", {}),
    "DebertaV2": ("unigram", {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}),
    "ModernBert": ("bytes", {"local_attention": 6, "num_attention_heads": 2, **MARKS}),
    "NomicBert": ("wordpiece", {"num_attention_heads": 2, **MARKS}),
    "Gte": ("unigram", {"num_attention_heads": 2, "type_vocab_size": 1, **MARKS}),
}
ENCODERS_OF_T5 = {"T5": {"d_kv": 8, "d_ff": 33}, "UMT5": {"d_kv": 5, "d_ff": 33}}
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "X-MISC", "odd")


def _written(family: str, task: str, folder: Path, **config: Any) -> tuple[Any, Any]:
    """A random model and its tokenizer, as transformers writes them."""
    transformers = pytest.importorskip("transformers")
    kind, changes = FAMILIES.get(family) or ("unigram", ENCODERS_OF_T5[family])
    # ALBERT has vectors of types, and a tokenizer that transformers takes none from.
    tokenizer = trained(kind, LONGEST, family in ("Bert", "Electra", "NomicBert"))
    model = getattr(transformers, f"{family}For{task}")
    sizes = {**SIZES, "vocab_size": len(tokenizer), **changes, **config}
    written = randomized(model(model.config_class(**sizes)), len(family), 0.5)
    written.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return written, tokenizer


def _undecided(model: Any, tokenizer: Any) -> None:
    """Give each label its turn: a random head may find one label in every token of every text.

    Vocabularies of equally frequent pieces are learnt in another order each time, so that no seed
    helps.
    """
    import torch

    heads = [m for m in model.modules() if getattr(m, "out_features", 0) == len(TAGS)]
    tokens = tokenizer([t for t in TEXTS if t], return_tensors="pt", padding=True, truncation=True)
    with torch.inference_mode():
        logits = model(**tokens).logits[tokens["attention_mask"].bool()]
    heads[-1].bias.data -= logits.mean(0)


def _pipeline(task: str, model: Any, tokenizer: Any, **settings: Any) -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.pipeline(
        task, model=model.float(), tokenizer=tokenizer, device="cpu", **settings
    )


def _imported(folder: Path) -> gpudb.Database:
    db = gpudb.connect(":memory:", device="numpy")
    db.import_model(folder, "m")
    return db


NAMED = {"id2label": {0: "bad", 1: "so so", 2: "good"}}
CLASSIFIERS: list[tuple[str, dict[str, Any]]] = [
    *((family, NAMED) for family in FAMILIES),
    ("Bert", {"num_labels": 5, "problem_type": "multi_label_classification"}),
    ("Bert", {"num_labels": 2}),
    ("Bert", {"num_labels": 1}),
    ("Roberta", {"num_labels": 1, "problem_type": "regression"}),
    ("ModernBert", {"classifier_pooling": "mean", "classifier_bias": True, "norm_bias": True}),
]


@pytest.mark.parametrize(("family", "config"), CLASSIFIERS, ids=str)
def test_classify(family: str, config: dict[str, Any], tmp_path: Path, report: Report) -> None:
    model, tokenizer = _written(family, "SequenceClassification", tmp_path, **config)
    pipeline = _pipeline("text-classification", model, tokenizer, top_k=None)
    expected = [{e["label"]: e["score"] for e in row} for row in pipeline(TEXTS, truncation=True)]
    with _imported(tmp_path) as db:
        found = db.classify("m", TEXTS)
        in_sql = db.sql(
            "SELECT classify('m', t).label, classify_all('m', t) FROM unnest($t) u(t)", {"t": TEXTS}
        )
    assert len({round(e, 3) for row in expected for e in row.values()}) > len(TEXTS) / 2
    assert [dict(p).keys() for _, _, p in found] == [
        dict.fromkeys(model.config.id2label.values()).keys()
    ] * len(TEXTS)
    differences = []
    for (label, probability, probabilities), (sql_label, sql_all), row in zip(
        found, in_sql, expected, strict=True
    ):
        best = max(row, key=lambda name: row[name])
        assert label == sql_label == best
        assert dict(sql_all) == pytest.approx(dict(probabilities), abs=1e-6)
        differences += [abs(p - row[name]) for name, p in [*probabilities, (best, probability)]]
    report(f"{max(differences):.2e}")
    assert max(differences) <= LARGEST


@pytest.mark.parametrize("family", [*FAMILIES, *ENCODERS_OF_T5])
def test_tag(family: str, tmp_path: Path, report: Report) -> None:
    labels = dict(enumerate(TAGS))
    model, tokenizer = _written(family, "TokenClassification", tmp_path, id2label=labels)
    _undecided(model, tokenizer)
    model.save_pretrained(tmp_path)
    pipeline = _pipeline("token-classification", model, tokenizer, aggregation_strategy="simple")
    expected = [pipeline(text) if text else [] for text in TEXTS]
    with _imported(tmp_path) as db:
        found = [spans for (spans,) in db.tag("m", TEXTS)]
        (in_sql,) = db.sql("SELECT list(tag('m', t)) FROM unnest($t) u(t)", {"t": TEXTS}).fetchone()
    assert in_sql == found
    assert sum(map(len, expected)) > len(TEXTS)
    differences = [0.0]
    for text, spans, row in zip(TEXTS, found, expected, strict=True):
        assert [(s["label"], s["start"], s["stop"]) for s in spans] == [
            (e["entity_group"], e["start"], e["end"]) for e in row
        ]
        assert [s["text"] for s in spans] == [text[s["start"] : s["stop"]] for s in spans]
        differences += [abs(s["probability"] - e["score"]) for s, e in zip(spans, row, strict=True)]
    report(f"{max(differences):.2e}")
    assert max(differences) <= LARGEST


@pytest.mark.parametrize(
    ("family", "config"),
    [
        *((family, {}) for family in FAMILIES),
        *((family, {"tie_word_embeddings": False}) for family in ("Bert", "ModernBert")),
        ("ModernBert", {"decoder_bias": False}),
        ("ModernBert", {"decoder_bias": False, "tie_word_embeddings": False}),
    ],
    ids=str,
)
def test_fill_mask(family: str, config: dict[str, Any], tmp_path: Path, report: Report) -> None:
    model, tokenizer = _written(family, "MaskedLM", tmp_path, **config)
    mask = tokenizer.mask_token
    texts = [f"The {mask} sat on the mat.", mask, f"Ada Lovelace wrote to {mask}", f"{mask} cat"]
    expected = _pipeline("fill-mask", model, tokenizer, top_k=7)(texts)
    with _imported(tmp_path) as db:
        found = [words for (words,) in db.fill_mask("m", texts, top=7)]
        in_sql = db.sql("SELECT fill_mask('m', t, top := 7) FROM unnest($t) u(t)", {"t": texts})
    assert [words for (words,) in in_sql] == found
    differences = []
    for words, row in zip(found, expected, strict=True):
        assert [w["token"] for w in words] == [e["token_str"] for e in row]
        differences += [abs(w["probability"] - e["score"]) for w, e in zip(words, row, strict=True)]
    report(f"{max(differences):.2e}")
    assert max(differences) <= LARGEST


PAIRS = [(a, b) for a in TEXTS[:3] for b in TEXTS] + [("", "cat"), ("cat", "cat")]
"""The first ones are longer than a pair may be."""


@pytest.mark.parametrize("family", ["Bert", "Roberta"])
def test_classify_pairs(family: str, tmp_path: Path, report: Report) -> None:
    model, tokenizer = _written(family, "SequenceClassification", tmp_path, **NAMED)
    pipeline = _pipeline("text-classification", model, tokenizer, top_k=None)
    # Called for a single pair, the tokenizer takes an empty second text for none.
    pairs = [(a, b) for a, b in PAIRS if b]
    asked = [{"text": a, "text_pair": b} for a, b in pairs]
    expected = [{e["label"]: e["score"] for e in pipeline(one, truncation=True)} for one in asked]
    first, second = map(list, zip(*pairs, strict=True))
    with _imported(tmp_path) as db:
        found = [dict(p) for _, _, p in db.classify("m", first, second)]
    differences = [
        abs(p - row[name])
        for probabilities, row in zip(found, expected, strict=True)
        for name, p in probabilities.items()
    ]
    report(f"{max(differences):.2e}")
    assert max(differences) <= LARGEST


def test_albert_is_told_which_text_a_token_is_of(tmp_path: Path, report: Report) -> None:
    """As in transformers 4, with which it was trained; transformers 5 says so only when asked."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    special = [(token, 0.0) for token in ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")]
    letters = [(letter, -3.0) for letter in "▁abcdefghijklmnopqrstuvwxyz"]
    tokenizer = transformers.AlbertTokenizer(vocab=special + letters, model_max_length=LONGEST)
    sizes = {**SIZES, "vocab_size": len(tokenizer), "embedding_size": 16, "pad_token_id": 0}
    config = transformers.AlbertConfig(**sizes, bos_token_id=2, eos_token_id=3)
    model = randomized(transformers.AlbertForSequenceClassification(config), 5, 0.5)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    first, second = ["a cat", "the the"], ["sat on the mat", "dogs ran"]

    def logits(**asked: Any) -> Any:
        given = tokenizer(first, second, padding=True, return_tensors="pt", **asked)
        with torch.inference_mode():
            return model(**given).logits.softmax(1).numpy()

    expected = logits(return_token_type_ids=True)
    assert np.abs(expected - logits(return_token_type_ids=False)).max() > 1e-3
    with _imported(tmp_path) as db:
        found = [[p for _, p in row] for _, _, row in db.classify("m", first, second)]
    difference = float(np.abs(np.array(found) - expected).max())
    report(f"{difference:.2e}")
    assert difference <= LARGEST


SCORES = [
    *((family, "Sigmoid", "transformers") for family in FAMILIES),
    ("Roberta", "Identity", "transformers"),
    ("Bert", "Sigmoid", "sentence-transformers"),
    ("Bert", "Identity", "sentence-transformers"),
]


@pytest.mark.parametrize(("family", "activation", "saved_by"), SCORES)
def test_score(family: str, activation: str, saved_by: str, tmp_path: Path, report: Report) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    torch = pytest.importorskip("torch")
    settings = {"activation_fn": f"torch.nn.modules.linear.{activation}"}
    config = {"sentence_transformers": settings} if activation == "Identity" else {}
    folder = tmp_path / "model"
    _written(family, "SequenceClassification", folder, num_labels=1, **config)
    if saved_by == "transformers":
        encoder = sentence_transformers.CrossEncoder(str(folder), device="cpu")
    else:
        own = getattr(torch.nn, activation)()
        encoder = sentence_transformers.CrossEncoder(str(folder), device="cpu", activation_fn=own)
        folder = tmp_path / "saved"
        encoder.save_pretrained(str(folder))
        assert (folder / "modules.json").exists()
    expected = encoder.predict(PAIRS)
    with _imported(folder) as db:
        first, second = map(list, zip(*PAIRS, strict=True))
        found = db.score("m", first, second).numpy("score")
        sql = "SELECT score('m', a, b) AS s FROM (SELECT unnest($a) AS a, unnest($b) AS b)"
        in_sql = db.sql(sql, {"a": first, "b": second}).numpy("s")
    np.testing.assert_array_equal(in_sql, found)
    assert np.ptp(expected) > 1e-2
    difference = float(np.abs(found - expected).max())
    report(f"{difference:.2e}")
    assert difference <= LARGEST
