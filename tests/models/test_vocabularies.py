"""Tokenizers from vocabulary files: what is in them, and what happens when it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from gpudb.errors import CheckpointError, UnsupportedError
from gpudb.models.tokenizer import TextTokenizer
from gpudb.models.tokenizer_files import read_mask_token, read_tokenizer
from gpudb.models.vocabularies.sentencepiece import read_pieces
from tests.models.odd_texts import odd_texts
from tests.models.tensorflow_files import message, number
from tests.vocabulary_files import (
    CONTROL,
    FOLDERS,
    NORMAL,
    UNKNOWN,
    byte_level_folder,
    model_file,
    pieces,
    unigram,
    unigram_folder,
    write_json,
)


def _tokenizer(folder: Path) -> Tokenizer:
    text = read_tokenizer(folder)
    assert text is not None
    return Tokenizer.from_str(text)


@pytest.fixture
def roberta(tmp_path: Path) -> Path:
    return byte_level_folder(tmp_path)


@pytest.fixture
def albert(tmp_path: Path) -> Path:
    return unigram_folder(tmp_path, "albert")


@pytest.mark.parametrize("kind", [kind for kind in FOLDERS if kind != "gpt2"])
def test_special_tokens_stand_around_every_text(kind: str, tmp_path: Path) -> None:
    found = _tokenizer(FOLDERS[kind](tmp_path / "model"))
    one, both = found.encode("the"), found.encode("the", "theses")
    first, *_, last = both.tokens
    assert (one.tokens[0], one.tokens[-1]) == (first, last)
    assert last in ("</s>", "[SEP]", "<|endoftext|>")
    assert found.encode("").tokens == ([last] if kind == "t5" else [first, last])
    doubled = kind in ("roberta", "deberta", "clip", "mpnet", "xlm-roberta", "camembert")
    assert both.tokens.count(last) == (3 if doubled else 2)


@pytest.mark.parametrize("kind", FOLDERS)
def test_the_mask_is_that_of_the_kind(kind: str, tmp_path: Path) -> None:
    folder = FOLDERS[kind](tmp_path / "model")
    angled = kind in ("roberta", "mpnet", "xlm-roberta", "camembert")
    assert read_mask_token(folder) == ("<mask>" if angled else "[MASK]")
    write_json(folder / "tokenizer_config.json", {"mask_token": {"content": "<w>"}})
    assert read_mask_token(folder) == "<w>"


@pytest.mark.parametrize("kind", ["t5", "xlm-roberta", "camembert"])
def test_pieces_are_those_of_the_learned_model(kind: str, tmp_path: Path) -> None:
    found = _tokenizer(FOLDERS[kind](tmp_path / "model"))
    texts = [text for text in odd_texts(100) if "[" not in text]
    expected = [one.tokens for one in unigram().encode_batch(texts)]
    assert [o.tokens for o in found.encode_batch(texts, add_special_tokens=False)] == expected


def test_scores_and_kinds_are_those_of_the_file(albert: Path) -> None:
    read, written = read_pieces(albert / "spiece.model"), pieces("albert")
    assert [text for text, _ in read.vocabulary] == [text for text, _, _ in written]
    assert [score for _, score in read.vocabulary] == pytest.approx([s for _, s, _ in written])
    assert list(read.kinds) == [kind for _, _, kind in written]
    assert read.unknown == 1


def test_the_side_that_long_texts_are_cut_on(roberta: Path) -> None:
    kept = {}
    for side in (None, "right", "left"):
        write_json(roberta / "tokenizer_config.json", {"truncation_side": side})
        text = read_tokenizer(roberta)
        assert text is not None
        (kept[side],) = TextTokenizer(text, 5).encode(["abcdefghij"]).ids.to_pylist()
        (whole,) = TextTokenizer(text).encode(["abcdefghij"]).ids.to_pylist()
    assert kept[None] == kept["right"] == [*whole[:4], whole[-1]]
    assert kept["left"] == [whole[0], *whole[-4:]]


@pytest.mark.parametrize("side", ["both", "LEFT", 1, True])
def test_a_side_that_is_none(roberta: Path, side: object) -> None:
    write_json(roberta / "tokenizer_config.json", {"truncation_side": side})
    with pytest.raises(CheckpointError, match=r"truncation_side is .*; expected left or right"):
        read_tokenizer(roberta)


def test_gpt2_puts_nothing_around_texts(tmp_path: Path) -> None:
    folder = byte_level_folder(tmp_path, "gpt2")
    found = _tokenizer(folder)
    assert found.encode("").tokens == []
    assert found.encode("a", "b").type_ids == [0, 1]
    write_json(folder / "tokenizer_config.json", {"add_bos_token": True})
    with pytest.raises(UnsupportedError, match="add_bos_token is True"):
        read_tokenizer(folder)


@pytest.mark.parametrize("missing", ["vocab.json", "merges.txt"])
def test_half_of_a_byte_level_vocabulary(roberta: Path, missing: str) -> None:
    (roberta / missing).unlink()
    if missing == "vocab.json":
        assert read_tokenizer(roberta) is None  # merges alone are no vocabulary of any kind
        return
    with pytest.raises(CheckpointError, match=f"there is no {missing}"):
        read_tokenizer(roberta)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("vocab.json", ""),
        ("vocab.json", "[]"),
        ("vocab.json", '{"a": "b"}'),
        ("merges.txt", "onlyone\n"),
        ("merges.txt", "not there\n"),
    ],
)
def test_damaged_byte_level_vocabularies(roberta: Path, file: str, content: str) -> None:
    (roberta / file).write_text(content)
    with pytest.raises(CheckpointError, match="are no byte-level BPE"):
        read_tokenizer(roberta)


@pytest.mark.parametrize(
    ("settings", "message_"),
    [
        ({"added_tokens_decoder": {"x": {"content": "y"}}}, "has the key 'x'"),
        ({"added_tokens_decoder": {"7": {}}}, "has no text in content"),
        ({"added_tokens_decoder": {"7": None}}, "where tokens are described"),
        ({"added_tokens_decoder": []}, "where tokens are described"),
        ({"added_tokens_decoder": {"7": {"content": "<s>"}}}, "has id 7, but .* gives 0"),
        ({"added_tokens_decoder": {"900": {"content": "new"}}}, "has id 900, but .* gives 500"),
        ({"mask_token": 5}, "where tokens are described"),
    ],
)
def test_added_tokens_that_are_none(roberta: Path, settings: dict[str, Any], message_: str) -> None:
    write_json(roberta / "tokenizer_config.json", settings)
    with pytest.raises(CheckpointError, match=message_):
        read_tokenizer(roberta)


def test_ids_that_are_none(roberta: Path) -> None:
    write_json(roberta / "added_tokens.json", {"new": "500"})
    with pytest.raises(CheckpointError, match=r"added_tokens\.json: 'new' has the id '500'"):
        read_tokenizer(roberta)


@pytest.mark.parametrize("name", ["vocab.json", "spiece.model"])
def test_classes_without_a_way_to_read_them(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    write_json(tmp_path / "tokenizer_config.json", {"tokenizer_class": "SomeTokenizer"})
    with pytest.raises(UnsupportedError, match=r"class SomeTokenizer; .*save_pretrained"):
        read_tokenizer(tmp_path)


def _with_extra(extra: bytes) -> bytes:
    return model_file(pieces("albert"), more=extra)


@pytest.mark.parametrize(
    "content",
    [
        model_file(pieces("albert"), algorithm=2),
        model_file(pieces("albert"), algorithm=4),
        _with_extra(number(35, 1)),
    ],
)
def test_algorithms_that_are_not_read(albert: Path, content: bytes) -> None:
    (albert / "spiece.model").write_bytes(content)
    with pytest.raises(UnsupportedError, match=r"another algorithm .*save_pretrained"):
        read_tokenizer(albert)


WHOLE = model_file(pieces("albert"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 40,
        WHOLE[:-1],
        WHOLE[: len(WHOLE) // 2],
        number(1, 3),
        model_file([("a", 0.0, NORMAL), ("b", 0.0, CONTROL)]),
        message(1, message(1, b"\xff") + number(3, UNKNOWN)),
        message(1, message(2, b"four") + number(3, UNKNOWN)) + message(1, number(2, 1)),
        message(1, message(1, b"a") + message(3, b"kind")),
    ],
)  # fmt: skip
def test_damaged_model_files(albert: Path, content: bytes) -> None:
    (albert / "spiece.model").write_bytes(content)
    with pytest.raises(CheckpointError, match="not a model file of SentencePiece"):
        read_tokenizer(albert)


@pytest.mark.parametrize("character_map", [b"x", bytes(3), b"\xff" * 64])
def test_damaged_character_maps(albert: Path, character_map: bytes) -> None:
    (albert / "spiece.model").write_bytes(WHOLE + message(3, message(2, character_map)))
    with pytest.raises(CheckpointError, match="no tokenizer can be made of it"):
        read_tokenizer(albert)


def test_a_model_file_without_the_tokens_that_stand_around_texts(tmp_path: Path) -> None:
    """They get ids behind the pieces, as transformers gives them."""
    folder = unigram_folder(tmp_path, "deberta-v2", "spm.model")
    found = _tokenizer(folder)
    assert found.token_to_id("[MASK]") == len(pieces("deberta-v2"))
    assert json.loads(found.to_str())["added_tokens"][-1]["content"] == "[MASK]"
