"""Labels of tokens, put together to spans of text.

As transformers' token classification pipeline does it with ``aggregation_strategy="simple"``:
neighbouring tokens of one kind are a span, a label ``B-…`` begins a new one, and spans that are
``O`` are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from gpudb.models.tokenizer import Places, Tokens
from gpudb.types import HostArray

SPANS = pa.list_(
    pa.struct(
        [
            ("label", pa.string()),
            ("text", pa.string()),
            ("probability", pa.float32()),
            ("start", pa.int32()),
            ("stop", pa.int32()),
        ]
    )
)
"""The spans of a text: characters ``start <= i < stop``, counted from 0."""

OUTSIDE = "O"


def group_spans(
    texts: pa.ChunkedArray,
    tokens: Tokens,
    places: Places,
    numbers: HostArray,
    probabilities: HostArray,
    labels: Sequence[str],
) -> pa.ListArray:
    """The spans of each text, of type :data:`SPANS`.

    Parameters
    ----------
    texts
        ``(n,)`` strings.
    tokens, places
        Their tokens, and where these stand.
    numbers, probabilities
        ``(t,)`` the likeliest label of each token, and how likely it is.
    labels
        Names of the labels. A span has the mean probability of its tokens.
    """
    of_text = np.repeat(np.arange(len(texts)), np.diff(tokens.offsets))
    kept = np.flatnonzero(~places.special)
    of_text, numbers = of_text[kept], numbers[kept]
    kinds = {label: number for number, label in enumerate(map(_kind, labels))}
    kind = np.array([kinds[_kind(label)] for label in labels])[numbers]
    begins = np.array([label.startswith("B-") for label in labels])[numbers]
    begins[:1] = True
    begins[1:] |= (of_text[1:] != of_text[:-1]) | (kind[1:] != kind[:-1])
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(kept)) - 1
    shown = [label.split("-", 1)[-1] for label in labels]
    inside = np.array([label != OUTSIDE for label in shown])[numbers[first]]
    means = _sums(probabilities[kept], first)[inside] / (last - first + 1)[inside]
    first, last = first[inside], last[inside]
    starts, stops = places.starts[kept[first]], places.stops[kept[last]]
    strings = texts.to_pylist()
    spans = pa.StructArray.from_arrays(
        [
            pa.array([shown[number] for number in numbers[first]], pa.string()),
            pa.array(
                [
                    strings[text][start:stop]
                    for text, start, stop in zip(of_text[first], starts, stops, strict=True)
                ],
                pa.string(),
            ),
            pa.array(means.astype(np.float32)),
            pa.array(starts),
            pa.array(stops),
        ],
        fields=list(SPANS.value_type),
    )
    counts = np.bincount(of_text[first], minlength=len(texts))
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), spans)


def _sums(values: HostArray, first: HostArray) -> HostArray:
    """Of runs that begin at ``first`` and leave nothing out."""
    return np.add.reduceat(values.astype(np.float64), first) if len(first) else np.zeros(0)


def _kind(label: str) -> str:
    """What neighbours must share: ``PER`` of ``B-PER`` and ``I-PER``."""
    return label[2:] if label.startswith(("B-", "I-")) else label
