"""Tokenizers of every kind against transformers: the same ids for odd texts, alone and in pairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gpudb.models.tokenizer import TextTokenizer
from gpudb.models.tokenizer_files import read_tokenizer
from tests.models.odd_texts import odd_texts
from tests.oracles.texts import real_texts
from tests.vocabulary_files import FOLDERS, write_json

pytestmark = pytest.mark.oracle

NAMED = [
    "<s> a </s> b <pad> c <unk> d <mask> e",
    "x <mask>, y [MASK]. z [CLS]a[SEP]b [PAD] [UNK]",
    "a<|endoftext|> b",
    "it''s ``quoted'' <extra_id_0> x<extra_id_99>",
]
TEXTS = [*odd_texts(120), *NAMED]

SENTENCEPIECE = ("xlm-roberta", "camembert", "albert", "t5", "deberta-v2")

MASK = {"content": "<mask>", "lstrip": True, "normalized": False, "rstrip": False}

SETTINGS: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    **{name: (name, {}) for name in FOLDERS},
    "roberta, a space first": (
        "roberta",
        {"tokenizer_config.json": {"add_prefix_space": True, "tokenizer_class": "BartTokenizer"}},
    ),
    "roberta, the mask takes the space": (
        "roberta",
        {"special_tokens_map.json": {"mask_token": MASK}},
    ),
    "roberta, added tokens": (
        "roberta",
        {
            "tokenizer_config.json": {
                "added_tokens_decoder": {
                    "4": {**MASK, "single_word": False, "special": True},
                    "500": {"content": "embeddings", "normalized": True, "special": False},
                },
                "mask_token": "<mask>",
            }
        },
    ),
    "roberta, tokens added later": ("roberta", {"added_tokens.json": {"user": 500, "def f": 501}}),
    "xlm-roberta, no space first": (
        "xlm-roberta",
        {"tokenizer_config.json": {"add_prefix_space": False}},
    ),
    "albert, case and accents": (
        "albert",
        {"tokenizer_config.json": {"do_lower_case": False, "keep_accents": True}},
    ),
    "t5, fewer sentinels": ("t5", {"tokenizer_config.json": {"extra_ids": 3}}),
    "deberta-v2, small letters, punctuation": (
        "deberta-v2",
        {"tokenizer_config.json": {"do_lower_case": True, "split_by_punct": True}},
    ),
    "deberta-v2, no space first": (
        "deberta-v2",
        {"tokenizer_config.json": {"add_prefix_space": False}},
    ),
    "mpnet, capital letters": ("mpnet", {"tokenizer_config.json": {"do_lower_case": False}}),
}


def _theirs(folder: Path, kind: str) -> Any:
    if kind in SENTENCEPIECE and not (folder / "tokenizer.json").exists():
        pytest.importorskip("sentencepiece")
        pytest.importorskip("google.protobuf")
    return pytest.importorskip("transformers").AutoTokenizer.from_pretrained(folder)


def _ours(folder: Path) -> str:
    text = read_tokenizer(folder)
    assert text is not None
    return text


def _compare(theirs: Any, text: str) -> None:
    plain = {"padding": False, "truncation": False, "return_token_type_ids": True}
    expected = [theirs(one, **plain).input_ids for one in TEXTS]
    assert TextTokenizer(text).encode(TEXTS).ids.to_pylist() == expected
    _compare_pairs(theirs, text, None)


def _compare_pairs(theirs: Any, text: str, most: int | None) -> None:
    """Both texts at once are lists: transformers takes a second text of "" by itself for none."""
    first = TEXTS[:60]
    second = first[::-1]
    cut = {"truncation": "longest_first" if most else False, "max_length": most}
    expected = theirs(first, second, padding=False, return_token_type_ids=True, **cut)
    found = TextTokenizer(text, most).encode_pairs(first, second)
    assert found.ids.to_pylist() == expected.input_ids
    assert found.types is not None
    assert found.types.tolist() == [t for types in expected.token_type_ids for t in types]


@pytest.mark.parametrize("name", SETTINGS)
def test_vocabulary_files(name: str, tmp_path: Path) -> None:
    kind, files = SETTINGS[name]
    folder = FOLDERS[kind](tmp_path / "model")
    for file, content in files.items():
        write_json(folder / file, content)
    _compare(_theirs(folder, kind), _ours(folder))


@pytest.mark.parametrize("kind", FOLDERS)
def test_tokenizer_json(kind: str, tmp_path: Path) -> None:
    """Transformers reads what gpudb makes of the vocabulary files, and writes its own."""
    folder = FOLDERS[kind](tmp_path / "model")
    (folder / "tokenizer.json").write_text(_ours(folder), encoding="utf-8")
    theirs = _theirs(folder, kind)
    theirs.save_pretrained(tmp_path / "saved")
    assert (tmp_path / "saved" / "tokenizer.json").exists()
    _compare(theirs, _ours(tmp_path / "saved"))


@pytest.mark.parametrize("kind", ["xlm-roberta", "albert", "t5"])
def test_character_maps_of_sentencepiece(kind: str, tmp_path: Path) -> None:
    """A model that the library itself has trained: it normalises characters by a map of its own."""
    spm = pytest.importorskip("sentencepiece")
    folder = FOLDERS[kind](tmp_path / "model")
    (file,) = folder.glob("*.model")
    special = {
        "xlm-roberta": {},
        "albert": {
            "pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1,
            "control_symbols": ["[CLS]", "[SEP]"], "user_defined_symbols": ["[MASK]", "(c)"],
        },
        "t5": {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1},
    }  # fmt: skip
    lines = [line for text in real_texts()[:200] for line in text.splitlines()]
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_prefix=str(tmp_path / "trained"),
        vocab_size=400,
        minloglevel=2,
        **special[kind],
    )
    (tmp_path / "trained.model").replace(file)
    assert json.loads(_ours(folder))["normalizer"] is not None
    _compare(_theirs(folder, kind), _ours(folder))


@pytest.mark.parametrize("kind", ["roberta", "mpnet"])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("most", [2, 3, 8, 64])
def test_long_texts_are_cut_on_the_side_that_settings_say(
    kind: str, side: str, most: int, tmp_path: Path
) -> None:
    folder = FOLDERS[kind](tmp_path / "model")
    write_json(folder / "tokenizer_config.json", {"truncation_side": side})
    theirs = _theirs(folder, kind)
    expected = [theirs(text, truncation=True, max_length=most).input_ids for text in TEXTS]
    assert TextTokenizer(_ours(folder), most).encode(TEXTS).ids.to_pylist() == expected
    if most >= 8:
        _compare_pairs(theirs, _ours(folder), most)


@pytest.mark.parametrize(
    ("kind", "cls"),
    [
        ("distilbert", "DistilBertTokenizer"),
        ("electra", "ElectraTokenizerFast"),
        ("mpnet", "MPNetTokenizer"),
    ],
)
def test_settings_come_before_tokenizer_json(kind: str, cls: str, tmp_path: Path) -> None:
    folder = FOLDERS[kind](tmp_path / "model")
    (folder / "tokenizer.json").write_text(_ours(folder), encoding="utf-8")
    (folder / "vocab.txt").unlink()
    settings = {"tokenizer_class": cls, "do_lower_case": False, "strip_accents": True}
    write_json(folder / "tokenizer_config.json", settings)
    _compare(_theirs(folder, kind), _ours(folder))
