"""How a model answers each of :data:`gpudb.functions.FUNCTIONS`.

A function runs plans of the model, and forms its answers of what they give.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from gpudb.embed_options import VECTOR_DTYPES, EmbedOptions
from gpudb.models import answers
from gpudb.models.encoder import HIDDEN, POOLED, Encoder
from gpudb.models.statistics import InferStatistics
from gpudb.settings import Settings
from gpudb.types import HostArray

Texts: TypeAlias = Sequence[pa.ChunkedArray]
"""Columns of equal length, without nulls."""

LABEL = pa.struct([("label", pa.string()), ("probability", pa.float32())])
PROBABILITIES = pa.map_(pa.string(), pa.float32())


@dataclass(frozen=True, slots=True)
class Answer:
    """How one function is answered."""

    plans: tuple[str, ...]
    """Of the encoder, in the order they run."""
    kind: Callable[[Encoder, Any], pa.DataType]
    """Encoder, options -> type of an answer; refuses what the model cannot answer."""
    run: Callable[[Encoder, Texts, Any, Settings], tuple[pa.Array, InferStatistics]]
    """Encoder, texts, options, settings -> a row for each text, and what it took."""
    form: Callable[[Encoder, pa.Array, Any], pa.Array] = lambda encoder, rows, options: rows
    """Encoder, rows of :attr:`run`, options -> answers."""


def _embed(
    encoder: Encoder, texts: Texts, options: EmbedOptions, settings: Settings
) -> tuple[pa.Array, InferStatistics]:
    vectors, statistics = encoder.embed(texts[0], settings, options.prompt)
    return _lists(vectors), statistics


def _vector_kind(encoder: Encoder, options: EmbedOptions) -> pa.DataType:
    name = encoder.version.model
    encoder.function.prompt_named(options.prompt, name)
    element = pa.from_numpy_dtype(VECTOR_DTYPES[options.dtype])
    return pa.list_(element, options.width(name, encoder.vector_width))


def _formed_vectors(encoder: Encoder, rows: pa.Array, options: EmbedOptions) -> pa.Array:
    if options.leaves(rows.type.list_size):
        return rows
    unit = encoder.function.normalize
    return _lists(options.applied(encoder.version.model, matrix(rows), unit))


def _classify(
    encoder: Encoder, texts: Texts, options: Any, settings: Settings
) -> tuple[pa.Array, InferStatistics]:
    probabilities, statistics = answers.classify(encoder, texts, settings)
    return _lists(probabilities), statistics


def _likeliest(encoder: Encoder, rows: pa.Array, options: Any) -> pa.Array:
    """The label of most probability, and that."""
    probabilities, labels = matrix(rows), pa.array(encoder.heads["classify"].labels)
    best = probabilities.argmax(axis=1)
    found = [labels.take(pa.array(best)), pa.array(probabilities[np.arange(len(best)), best])]
    return pa.StructArray.from_arrays(found, fields=list(LABEL))


def _by_label(encoder: Encoder, rows: pa.Array, options: Any) -> pa.Array:
    """A map of all labels to their probabilities."""
    labels = encoder.heads["classify"].labels
    ends = np.arange(len(rows) + 1, dtype=np.int32) * len(labels)
    names = pa.array(labels, pa.string()).take(pa.array(np.tile(np.arange(len(labels)), len(rows))))
    return pa.MapArray.from_arrays(pa.array(ends), names, pa.array(matrix(rows).reshape(-1)))


def _score(
    encoder: Encoder, texts: Texts, options: Any, settings: Settings
) -> tuple[pa.Array, InferStatistics]:
    scores, statistics = answers.score(encoder, texts, settings)
    return pa.array(scores), statistics


def _checked(kind: pa.DataType, head: str, name: str) -> Callable[[Encoder, Any], pa.DataType]:
    """Type of the answers of a model that has the head."""

    def known(encoder: Encoder, options: Any) -> pa.DataType:
        answers.labels(encoder, head, name)
        return kind

    return known


def _score_kind(encoder: Encoder, options: Any) -> pa.DataType:
    answers.check_scores(encoder)
    return pa.float32()


ANSWERING: Mapping[str, Answer] = {
    "embed": Answer((POOLED,), _vector_kind, _embed, _formed_vectors),
    "classify": Answer(
        ("classify",),
        _checked(LABEL, "classify", "classify"),
        _classify,
        _likeliest,
    ),
    "classify_all": Answer(
        ("classify",),
        _checked(PROBABILITIES, "classify", "classify_all"),
        _classify,
        _by_label,
    ),
    "tag": Answer(
        ("tag",),
        _checked(answers.SPANS, "tag", "tag"),
        lambda encoder, texts, _, settings: answers.tag(encoder, texts[0], settings),
    ),
    "score": Answer(("classify",), _score_kind, _score),
    "fill_mask": Answer(
        (HIDDEN, "fill_mask"),
        _checked(answers.WORDS, "fill_mask", "fill_mask"),
        lambda encoder, texts, options, settings: answers.fill_mask(
            encoder, texts[0], options.top, settings
        ),
    ),
}
"""By the name of the function."""


def _lists(rows: HostArray) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1])


def matrix(rows: pa.FixedSizeListArray) -> HostArray:
    """Lists of one width without nulls as ``(n, width)``."""
    width = rows.type.list_size
    flat: HostArray = rows.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(rows), width)
