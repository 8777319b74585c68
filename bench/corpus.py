"""Texts of wanted lengths, cut from the documentation of Python's standard library."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from gpudb.cli.stdlib_docs import standard_library_table

SPECIAL = 2
"""Tokens that the tokenizer adds around a text."""


@cache
def _sentences() -> tuple[str, ...]:
    """Distinct documentation strings, in an order that mixes the modules."""
    docs = list(dict.fromkeys(standard_library_table().column("doc").to_pylist()))
    np.random.default_rng(0).shuffle(docs)
    return tuple(docs)


def cut_texts(model: Path, lengths: Sequence[int]) -> list[str]:
    """Distinct texts of so many tokens each, or a few less: words are not cut.

    Parameters
    ----------
    model
        A folder with the tokenizer that counts.
    lengths
        Tokens of each text, those around it included; at least 4.
    """
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts: dict[str, None] = {}
    words = _words(tokenizer)
    for wanted in lengths:
        text = _text(words, wanted - SPECIAL)
        while text in texts:
            text = _text(words, wanted - SPECIAL)
        texts[text] = None
    return list(texts)


def mixed_lengths(count: int, mean: int = 55, most: int = 256) -> list[int]:
    """Lengths as texts in the wild have them: many short, a tail to ``most``."""
    drawn = np.random.default_rng(0).lognormal(0, 0.75, count)
    for _ in range(20):  # cutting off the tail lowers the mean
        lengths = np.clip(np.rint(drawn), 5, most)
        drawn *= mean / lengths.mean()
    return [int(n) for n in lengths]


def zipf_rows(texts: Sequence[str], rows: int) -> list[str]:
    """So many texts, of which the n-th most frequent comes up in proportion to 1/n."""
    weights = 1 / np.arange(1, len(texts) + 1)
    chosen = np.random.default_rng(0).choice(len(texts), rows, p=weights / weights.sum())
    return [texts[i] for i in chosen]


def token_counts(model: Path, texts: Sequence[str], most: int) -> np.ndarray:
    """Tokens that a model sees of each text."""
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.enable_truncation(most)
    tokenizer.no_padding()
    return np.array([len(encoding.ids) for encoding in tokenizer.encode_batch_fast(texts)])


def _words(tokenizer: Tokenizer) -> Iterator[tuple[str, int]]:
    """Words and their tokens, without end."""
    while True:
        for doc in _sentences():
            words = re.findall(r"\S+", doc)
            encodings = tokenizer.encode_batch_fast(words, add_special_tokens=False)
            yield from zip(words, (len(encoding.ids) for encoding in encodings), strict=True)


def _text(words: Iterator[tuple[str, int]], tokens: int) -> str:
    """The next words, up to so many tokens; words that do not fit by themselves are left out."""
    taken: list[str] = []
    left = tokens
    for word, count in words:
        if count <= left:
            taken.append(word)
            left -= count
        if left <= 0 or (taken and count > left):
            break
    return " ".join(taken)
