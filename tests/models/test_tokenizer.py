from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer

from gpudb.errors import CheckpointError, InputError
from gpudb.models import tokenizer as module
from gpudb.models.tokenizer import TextTokenizer
from gpudb.models.tokenizer_files import read_tokenizer
from tests.models.odd_texts import odd_texts

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##able", "able", "É", "e", "你"]


def text_of(folder: Path, lower_case: bool = False) -> str:
    text = read_tokenizer(folder, lower_case)
    assert text is not None
    return text


def ids(text: str, texts: Any, max_tokens: int | None = None) -> list[list[int]]:
    found: list[list[int]] = TextTokenizer(text, max_tokens).encode(texts).ids.to_pylist()
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def small(folder: Path) -> str:
    return text_of(folder)


@pytest.fixture(scope="module")
def minilm(minilm_folder: Path) -> str:
    return text_of(minilm_folder)


def test_one_row_per_text(small: str) -> None:
    tokens = TextTokenizer(small).encode(pa.array(["unable", "", "un able", "zzz", "e你e"]))
    assert tokens.ids.type == pa.list_(pa.int32())
    assert tokens.ids.to_pylist() == [
        [2, 5, 6, 3], [2, 3], [2, 5, 7, 3], [2, 1, 3], [2, 9, 10, 9, 3]
    ]  # fmt: skip
    assert tokens.offsets.tolist() == [0, 4, 6, 10, 13, 18]
    assert tokens.values.dtype == tokens.offsets.dtype == np.int32


def test_views_do_not_copy(small: str) -> None:
    tokens = TextTokenizer(small).encode(pa.array(["un", "e"]))
    assert np.shares_memory(tokens.values, tokens.values)
    assert tokens.values.ctypes.data == tokens.ids.values.buffers()[1].address
    assert tokens.offsets.ctypes.data == tokens.ids.buffers()[1].address


@pytest.mark.parametrize("texts", [pa.array([], pa.string()), pa.chunked_array([], pa.string())])
def test_no_texts(small: str, texts: Any) -> None:
    tokens = TextTokenizer(small).encode(texts)
    assert tokens.offsets.tolist() == [0]
    assert tokens.values.shape == (0,)


def test_nulls_are_refused(small: str) -> None:
    with pytest.raises(InputError, match="found 1 nulls among 2 texts"):
        TextTokenizer(small).encode(pa.array(["a", None]))
    with pytest.raises(InputError, match="expected a column of text"):
        TextTokenizer(small).encode(pa.array([1]))


@pytest.mark.parametrize("count", [1, 6, 7, 8, 50])
def test_slices_do_not_show(small: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{'un' * (i % 5)} able" for i in range(count)]
    chunks = pa.chunked_array([texts[: count // 3], texts[count // 3 :]], pa.string())
    whole = TextTokenizer(small).encode(chunks).ids
    monkeypatch.setattr(module, "SLICE_TEXTS", 7)
    by_count = TextTokenizer(small).encode(chunks).ids
    monkeypatch.setattr(module, "SLICE_BYTES", 10)  # less than some of the texts alone
    by_bytes = TextTokenizer(small).encode(chunks).ids
    assert whole.equals(by_count)
    assert whole.equals(by_bytes)


def test_too_many_tokens(small: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TOKENS", 9)
    assert len(TextTokenizer(small).encode(["un", "un", "un"]).values) == 9
    with pytest.raises(InputError, match="encode the column in parts"):
        TextTokenizer(small).encode(["un", "un", "un un"])


def test_order_is_kept(minilm: str) -> None:
    texts = odd_texts(300)
    one_by_one = Tokenizer.from_str(minilm)
    one_by_one.no_padding()
    one_by_one.no_truncation()
    assert ids(minilm, texts) == [one_by_one.encode(text).ids for text in texts]


def test_padding_and_truncation_of_the_file_are_ignored(minilm: str, minilm_folder: Path) -> None:
    written = json.loads((minilm_folder / "tokenizer.json").read_text(encoding="utf-8"))
    assert written["padding"] is not None
    assert written["truncation"]["max_length"] == 128
    long = "word " * 600
    assert [len(row) for row in ids(minilm, [long, "word"])] == [602, 3]
    assert [len(row) for row in ids(minilm, [long, "word"], 256)] == [256, 3]


@pytest.mark.parametrize("most", [2, 3, 4, 5])
def test_max_tokens_counts_special_tokens(small: str, most: int) -> None:
    assert ids(small, ["un able", ""], most) == [[2, *[5, 7][: most - 2], 3], [2, 3]]


@pytest.mark.parametrize("most", [-1, 0, 1])
def test_max_tokens_without_room(small: str, most: int) -> None:
    with pytest.raises(InputError, match="expected at least 2"):
        TextTokenizer(small, most)


def test_id_count(small: str, minilm: str) -> None:
    assert TextTokenizer(small).id_count == len(VOCABULARY)
    assert TextTokenizer(minilm).id_count == 30522


def test_id_count_where_ids_have_gaps(small: str) -> None:
    document = json.loads(small)
    document["model"]["vocab"][VOCABULARY[-1]] = 99
    assert TextTokenizer(json.dumps(document)).id_count == 100
    document["post_processor"]["special_tokens"]["[CLS]"]["ids"] = [200]
    assert TextTokenizer(json.dumps(document)).id_count == 201


@pytest.mark.parametrize("text", ["", "{}", "[]", "x", '{"model": {"type": "WordPiece"}}'])
def test_no_tokenizer(folder: Path, text: str) -> None:
    with pytest.raises(CheckpointError, match="import the model again"):
        TextTokenizer(text)
    (folder / "tokenizer.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: not a tokenizer"):
        read_tokenizer(folder)


def test_template_without_its_token(folder: Path, small: str) -> None:
    document = json.loads(small)
    del document["post_processor"]["special_tokens"]["[CLS]"]
    for processor in (
        document["post_processor"],
        {"type": "Sequence", "processors": [document["post_processor"]]},
    ):
        text = json.dumps({**document, "post_processor": processor})
        (folder / "tokenizer.json").write_text(text)
        with pytest.raises(CheckpointError, match=r"its template names \[CLS\]"):
            read_tokenizer(folder)


def test_unknown_token_that_is_unknown(folder: Path, small: str) -> None:
    document = json.loads(small)
    document["model"]["unk_token"] = "<nothing>"
    (folder / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match="'<nothing>', is not in the vocabulary"):
        read_tokenizer(folder)


def test_folder_without_tokenizer(tmp_path: Path) -> None:
    assert read_tokenizer(tmp_path) is None


@pytest.mark.parametrize("missing", ["[UNK]", "[CLS]", "[SEP]"])
def test_vocabulary_without_special_token(folder: Path, missing: str) -> None:
    rest = [token for token in VOCABULARY if token != missing]
    (folder / "vocab.txt").write_text("\n".join(rest), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"vocab\.txt: \w+_token '\[\w+\]' is not among"):
        read_tokenizer(folder)


@pytest.mark.parametrize("content", ["", "\n", "[UNK]"])
def test_hardly_a_vocabulary(folder: Path, content: str) -> None:
    (folder / "vocab.txt").write_text(content)
    with pytest.raises(CheckpointError, match=r"vocab\.txt"):
        read_tokenizer(folder)


def test_special_tokens_of_the_settings(folder: Path) -> None:
    tokens = ["<p>", "<u>", "<s>", "</s>", "a"]
    (folder / "vocab.txt").write_text("\r\n".join(tokens))
    config = {"pad_token": "<p>", "unk_token": {"content": "<u>"}, "cls_token": "<s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    saved = {"sep_token": {"content": "</s>", "lstrip": False}, "cls_token": "ignored"}
    (folder / "special_tokens_map.json").write_text(json.dumps(saved))
    assert ids(text_of(folder), ["a b <p>"]) == [[2, 4, 1, 0, 3]]


@pytest.mark.parametrize(
    "config", [{"do_lower_case": "no"}, {"strip_accents": 1}, {"tokenize_chinese_chars": None}]
)
def test_settings_of_the_wrong_kind(folder: Path, config: object) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="expected true or false"):
        read_tokenizer(folder)


@pytest.mark.parametrize(
    ("config", "plain", "lowered"),
    [
        ({}, "e", "e"),
        ({"do_lower_case": False}, "É", "[UNK]"),
        ({"do_lower_case": False, "strip_accents": True}, "[UNK]", "e"),
    ],
)
def test_case_and_accents(folder: Path, config: object, plain: str, lowered: str) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert ids(text_of(folder), ["É"]) == [[2, VOCABULARY.index(plain), 3]]
    assert ids(text_of(folder, lower_case=True), ["É"]) == [[2, VOCABULARY.index(lowered), 3]]


def test_vocabulary_equals_tokenizer_json(minilm: str, minilm_folder: Path, tmp_path: Path) -> None:
    for name in ("vocab.txt", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(minilm_folder / name, tmp_path)
    texts = odd_texts()
    assert ids(text_of(tmp_path), texts) == ids(minilm, texts)


COUNT_THREADS = """
import os, sys
from gpudb.models.tokenizer import TextTokenizer
tokenizer = TextTokenizer(open(sys.argv[1], encoding="utf-8").read(), threads=int(sys.argv[2]))
tasks = lambda: len(os.listdir("/proc/self/task"))
before = tasks()
tokenizer.encode(["un", "able"] * 50)
assert "RAYON_NUM_THREADS" not in os.environ
sys.stdout.write(str(tasks() - before))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
@pytest.mark.parametrize("threads", [1, 5])
def test_threads(small: str, tmp_path: Path, threads: int) -> None:
    file = tmp_path / "stored.json"
    file.write_text(small, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", COUNT_THREADS, str(file), str(threads)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (str(threads), "")


@pytest.mark.oracle
@pytest.mark.parametrize("most", [None, 2, 128, 256])
def test_equals_transformers(minilm: str, minilm_folder: Path, most: int | None) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(minilm_folder)
    texts = odd_texts()
    expected = [
        theirs(text, truncation=most is not None, max_length=most, padding=False).input_ids
        for text in texts
    ]
    assert ids(minilm, texts, most) == expected


@pytest.mark.oracle
@pytest.mark.parametrize("file", ["vocab.txt", "tokenizer.json"])
@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"do_lower_case": False},
        {"do_lower_case": False, "strip_accents": True},
        {"do_lower_case": True, "strip_accents": False},
        {"tokenize_chinese_chars": False},
        {"tokenizer_class": "BertTokenizerFast", "do_lower_case": False},
        {"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": False},
    ],
)
def test_settings_equal_transformers(
    minilm_folder: Path, tmp_path: Path, config: dict[str, object] | None, file: str
) -> None:
    transformers = pytest.importorskip("transformers")
    if file == "vocab.txt" and config and config.get("tokenizer_class", "")[:3] == "Pre":
        config = {**config, "tokenizer_class": "BertTokenizer"}
    for name in (file, "config.json"):
        shutil.copy(minilm_folder / name, tmp_path)
    if config is not None:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    texts = odd_texts()
    expected = [theirs(text, padding=False, truncation=False).input_ids for text in texts]
    assert ids(text_of(tmp_path), texts) == expected


def test_pairs_and_which_text_a_token_is_of(small: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = ["unable", "", "e"] * 5, ["un able", "e", ""] * 5
    tokens = TextTokenizer(small).encode_pairs(pa.array(first), pa.array(second))
    assert tokens.ids.to_pylist()[:3] == [[2, 5, 6, 3, 5, 7, 3], [2, 3, 9, 3], [2, 9, 3, 3]]
    assert tokens.types is not None
    assert tokens.types.tolist()[:15] == [0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 1]
    monkeypatch.setattr(module, "SLICE_TEXTS", 4)
    monkeypatch.setattr(module, "SLICE_BYTES", 11)
    parts = TextTokenizer(small).encode_pairs(pa.array(first), pa.array(second))
    assert parts.ids.equals(tokens.ids)
    np.testing.assert_array_equal(parts.types, tokens.types)
    nothing = TextTokenizer(small).encode_pairs(
        pa.array([], pa.string()), pa.array([], pa.string())
    )
    assert (nothing.offsets.tolist(), len(nothing.values)) == ([0], 0)


def test_pairs_that_have_no_room(small: str) -> None:
    texts = pa.array(["un able", "e"])
    assert TextTokenizer(small, 3).encode_pairs(texts, texts).ids.to_pylist() == [[2, 3, 3]] * 2
    with pytest.raises(InputError, match="max_tokens is 2; expected at least 3, the special"):
        TextTokenizer(small, 2).encode_pairs(texts, texts)
    with pytest.raises(InputError, match="found 1 nulls"):
        TextTokenizer(small).encode_pairs(texts, pa.array(["e", None]))


def test_places_count_characters(small: str) -> None:
    texts = ["  unable 你e", "", "[MASK] e\u0301"]
    tokens, places = TextTokenizer(small).encode_places(pa.array(texts))
    assert tokens.ids.to_pylist() == ids(small, texts)
    own = np.flatnonzero(~places.special)
    words = [
        texts[np.searchsorted(tokens.offsets, token, "right") - 1][start:stop]
        for token, start, stop in zip(own, places.starts[own], places.stops[own], strict=True)
    ]
    assert words == ["un", "able", "你", "e", "[MASK]", "e"]
    assert tokens.values[places.special].tolist() == [2, 3, 2, 3, 2, 3]
