"""Texts to padded batches, for runtimes that leave this to their user."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def open_tokenizer(model: Path) -> Tokenizer:
    """The model's tokenizer, which cuts at the model's limit and pads nothing."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    settings = json.loads((model / "sentence_bert_config.json").read_text(encoding="utf-8"))
    tokenizer.enable_truncation(settings["max_seq_length"])
    tokenizer.no_padding()
    return tokenizer


def tokenize(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Token numbers of each text, on all threads."""
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]


def sorted_batches(ids: Sequence[Sequence[int]], texts: int, tokens: int) -> Iterator[np.ndarray]:
    """Rows of each batch, longest first: at most so many texts, and tokens padding included."""
    order = np.argsort([-len(row) for row in ids], kind="stable")
    first = 0
    while first < len(order):
        count = min(texts, max(1, tokens // max(1, len(ids[order[first]]))))
        yield order[first : first + count]
        first += count


def padded(ids: Sequence[Sequence[int]], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Token numbers ``(rows, longest)`` int64 and the mask of what is no padding."""
    lengths = np.array([len(ids[row]) for row in rows])
    mask = np.arange(lengths.max()) < lengths[:, None]
    tokens = np.zeros(mask.shape, np.int64)
    tokens[mask] = np.concatenate([ids[row] for row in rows])
    return tokens, mask.astype(np.int64)


def mean_vectors(hidden: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean over the tokens that are no padding, to length one: what the model's card asks for."""
    weights = mask[..., None].astype(np.float32)
    vectors = (hidden * weights).sum(1) / weights.sum(1)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
