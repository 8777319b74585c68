"""What models answer beside vectors: probabilities of labels, scores, spans, words.

Each function takes texts without nulls, and returns a row for each of them and what it took. A
model answers what its head is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter

import numpy as np
import pyarrow as pa

from gpudb.errors import InputError, UnsupportedError
from gpudb.kernels.rows import row_pieces
from gpudb.models.batches import Batch
from gpudb.models.encoder import HIDDEN, Encoder
from gpudb.models.head_function import HeadFunction, apply, check_score
from gpudb.models.reading import Reading, image_reading, text_readings, token_reading
from gpudb.models.spans import SPANS, group_spans
from gpudb.models.statistics import InferStatistics
from gpudb.models.tokenizer import Tokens
from gpudb.settings import Settings
from gpudb.types import HostArray

TASKS = {
    "classify": ("sequence classification", "ForSequenceClassification"),
    "tag": ("token classification", "ForTokenClassification"),
    "fill_mask": ("masked language modelling", "ForMaskedLM"),
}
"""Kind of head -> what it is called, and how classes of transformers that have it end."""

WORDS = pa.list_(pa.struct([("token", pa.string()), ("probability", pa.float32())]))
"""Type of the answers of :func:`fill_mask`."""

__all__ = [
    "SPANS",
    "TASKS",
    "WORDS",
    "check_scores",
    "classify",
    "fill_mask",
    "labels",
    "score",
    "tag",
]


def labels(encoder: Encoder, kind: str, function: str) -> tuple[str, ...]:
    """Names of what the head of that kind tells apart.

    Raises
    ------
    UnsupportedError
        The model has no such head; ``function`` is what was asked for.
    """
    if kind not in encoder.heads:
        task, ending = TASKS[kind]
        classes = encoder.version.config.get("architectures")
        named = f" of class {classes[0]}" if isinstance(classes, list) and classes else ""
        raise UnsupportedError(
            f"{function}: model {encoder.version.label} has no head for {task}; it was "
            f"imported from a checkpoint{named}, and answers "
            f"{', '.join(('embed', *encoder.heads))}. Import a checkpoint with that head, of a "
            f"class …{ending}"
        )
    return encoder.heads[kind].labels


def classify(
    encoder: Encoder, texts: Sequence[pa.ChunkedArray], settings: Settings
) -> tuple[HostArray, InferStatistics]:
    """The probability of each label, ``(n, labels)`` float32, of texts, pairs or images."""
    labels(encoder, "classify", "classify")
    logits, statistics = _logits(encoder, texts, settings)
    return apply(_function(encoder, "classify").probabilities, logits), statistics


def score(
    encoder: Encoder, texts: Sequence[pa.ChunkedArray], settings: Settings
) -> tuple[HostArray, InferStatistics]:
    """How well the texts of each pair belong together, ``(n,)`` float32."""
    check_scores(encoder)
    logits, statistics = _logits(encoder, texts, settings)
    return apply(_function(encoder, "classify").score, logits[:, 0]), statistics


def check_scores(encoder: Encoder) -> None:
    """Refuse a model that makes no scores of pairs.

    Raises
    ------
    UnsupportedError
        It has no head with a single label, or makes scores in a way that gpudb does not compute.
    """
    found = labels(encoder, "classify", "score")
    if len(found) != 1:
        raise UnsupportedError(
            f"score: model {encoder.version.label} tells {len(found)} labels apart "
            f"({', '.join(found)!s:.80}); a score needs a head with one"
        )
    check_score(encoder.version.label, _function(encoder, "classify"))


def tag(
    encoder: Encoder, texts: pa.ChunkedArray, settings: Settings
) -> tuple[pa.ListArray, InferStatistics]:
    """The spans of each text that have a label, of type :data:`SPANS`."""
    found = labels(encoder, "tag", "tag")
    started = perf_counter()
    tokens, places = encoder.text_tokenizer.encode_places(texts)
    readings = [token_reading(encoder.inputs, tokens, perf_counter() - started)]
    numbers = np.zeros(len(tokens.values), np.int32)
    probabilities = np.zeros(len(tokens.values), np.float32)

    def keep(batch: Batch, logits: HostArray) -> None:
        likely = apply("softmax", logits)
        best = likely.argmax(axis=1)
        numbers[batch.rows] = best
        probabilities[batch.rows] = likely[np.arange(len(best)), best]

    statistics = encoder.run("tag", readings, keep, settings, started, len(texts))
    spans = group_spans(texts, tokens, places, numbers, probabilities, found)
    return spans, replace(statistics, seconds=perf_counter() - started)


def fill_mask(
    encoder: Encoder, texts: pa.ChunkedArray, top: int, settings: Settings
) -> tuple[pa.ListArray, InferStatistics]:
    """The likeliest words for the one masked token of each text, of type :data:`WORDS`.

    Raises
    ------
    InputError
        A text has no masked token, or several.
    """
    labels(encoder, "fill_mask", "fill_mask")
    started = perf_counter()
    tokens = encoder.text_tokenizer.encode(texts)
    masked = _masked(encoder, texts, tokens)
    readings = [token_reading(encoder.inputs, tokens, perf_counter() - started)]
    hidden = np.zeros((len(texts), encoder.width), np.float32)

    def keep_masked(batch: Batch, result: HostArray) -> None:
        hidden[batch.sequences] = result[masked[batch.rows]]

    statistics = encoder.run(HIDDEN, readings, keep_masked, settings, started, len(texts))
    words = encoder.plan("fill_mask").schema.shape[1]
    assert isinstance(words, int)  # the vocabulary
    top = min(top, words)
    ids = np.zeros((len(texts), top), np.int64)
    probabilities = np.zeros((len(texts), top), np.float32)

    def keep_likely(batch: Batch, logits: HostArray) -> None:
        for piece in row_pieces(logits):  # a vocabulary is wide
            likely = apply("softmax", logits[piece])
            best = np.argpartition(-likely, top - 1, axis=1)[:, :top]
            found = np.take_along_axis(likely, best, 1)
            order = np.lexsort((best, -found))
            ids[batch.rows[piece]] = np.take_along_axis(best, order, 1)
            probabilities[batch.rows[piece]] = np.take_along_axis(found, order, 1)

    each_alone = np.arange(len(texts) + 1)
    rows = [Reading(each_alone, lambda batch: {"rows": hidden[batch.rows]})]
    encoder.run("fill_mask", rows, keep_likely, settings, started, len(texts))
    statistics = replace(statistics, seconds=perf_counter() - started)
    return _words(encoder, ids, probabilities), statistics


def _logits(
    encoder: Encoder, texts: Sequence[pa.ChunkedArray], settings: Settings
) -> tuple[HostArray, InferStatistics]:
    """``(n, labels)`` of a column of texts, of two that are pairs, or of images."""
    started = perf_counter()
    outputs = len(encoder.heads["classify"].labels)
    logits = np.zeros((len(texts[0]), outputs), np.float32)

    def keep(batch: Batch, result: HostArray) -> None:
        logits[batch.sequences] = result

    readings, count = _readings(encoder, texts), len(texts[0])
    return logits, encoder.run("classify", readings, keep, settings, started, count)


def _readings(encoder: Encoder, texts: Sequence[pa.ChunkedArray]) -> Iterable[Reading]:
    images = encoder.function.images
    if images is None:
        return text_readings(encoder.inputs, texts, partial(_encoded, encoder))
    if len(texts) > 1:
        raise UnsupportedError(
            f"model {encoder.version.label} classifies images one by one; found pairs. Leave the "
            "second column out"
        )
    return [image_reading(encoder.inputs, encoder.version.config, images, texts[0])]


def _encoded(encoder: Encoder, *texts: pa.ChunkedArray) -> Tokens:
    if len(texts) == 1:
        return encoder.text_tokenizer.encode(texts[0])
    tokens = encoder.text_tokenizer.encode_pairs(*texts)
    return tokens if _function(encoder, "classify").pair_types else Tokens(tokens.ids)


def _function(encoder: Encoder, kind: str) -> HeadFunction:
    return HeadFunction(**encoder.heads[kind].function)


def _masked(encoder: Encoder, texts: pa.ChunkedArray, tokens: Tokens) -> HostArray:
    """Which tokens are to be guessed, ``(t,)`` bool: one of each text."""
    mask = _function(encoder, "fill_mask").mask
    number = encoder.text_tokenizer.id_of(mask)
    if number is None:
        raise UnsupportedError(
            f"fill_mask: the tokenizer of model {encoder.version.label} has no token {mask!r}; "
            "import the model with the tokenizer it was trained with"
        )
    masked: HostArray = tokens.values == number
    # Not reduceat, which cannot count in a text without a token.
    before = np.concatenate(([0], np.cumsum(masked)))[tokens.offsets]
    counts = np.diff(before)
    if (wrong := np.flatnonzero(counts != 1)).size:
        text = texts[int(wrong[0])].as_py()
        raise InputError(
            f"fill_mask: {text!r:.80} has {counts[wrong[0]]} tokens {mask} after it is cut to "
            f"{encoder.function.max_tokens} tokens; expected one in every text"
        )
    return masked


def _words(encoder: Encoder, ids: HostArray, probabilities: HostArray) -> pa.ListArray:
    distinct, places = np.unique(ids, return_inverse=True)
    names = pa.array([encoder.text_tokenizer.text_of(int(n)) for n in distinct], pa.string())
    fields: Sequence[pa.Array] = [
        names.take(pa.array(places.reshape(-1))),
        pa.array(probabilities.reshape(-1)),
    ]
    words = pa.StructArray.from_arrays(fields, fields=list(WORDS.value_type))
    rows, top = ids.shape
    return pa.ListArray.from_arrays(pa.array(np.arange(rows + 1, dtype=np.int32) * top), words)
