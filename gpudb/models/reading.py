"""What a run of a model reads of a column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa

from gpudb.exec.ahead import ahead
from gpudb.models.architecture import Config
from gpudb.models.batches import Batch
from gpudb.models.image_column import ImageColumn
from gpudb.models.images import ImageSettings
from gpudb.models.inputs import ModelInputs
from gpudb.models.patches import Patches
from gpudb.models.tokenizer import Tokens
from gpudb.types import HostArray

PART_TEXTS = 4096
"""Most texts that are tokenised before any of them is computed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Sequences of rows, and what the plan reads of them, batch by batch."""

    offsets: HostArray
    """``(n + 1,)``: sequence i has the rows ``offsets[i]:offsets[i + 1]``."""
    inputs: Callable[[Batch], Mapping[str, HostArray]]
    """Called by the thread that runs the batch."""
    seconds: float = 0.0
    """What tokenising took."""


def row_reading(
    read: ModelInputs,
    values: Mapping[str, HostArray],
    offsets: HostArray,
    seconds: float = 0.0,
) -> Reading:
    """Of columns with a row for each row of the sequences."""

    def inputs(batch: Batch) -> Mapping[str, HostArray]:
        return _completed(
            read, {name: column[batch.places] for name, column in values.items()}, batch
        )

    return Reading(offsets, inputs, seconds)


def token_reading(read: ModelInputs, tokens: Tokens, seconds: float) -> Reading:
    """Of tokenised texts; ``seconds`` is what tokenising took."""
    values = {"token_ids": tokens.values, "type_ids": tokens.types}
    given = {name: column for name, column in values.items() if column is not None}
    return row_reading(read, given, tokens.offsets, seconds)


def text_readings(
    read: ModelInputs, columns: Sequence[pa.ChunkedArray], encode: Callable[..., Tokens]
) -> Iterable[Reading]:
    """Of a column of texts, or two that are pairs, in parts about as long as each other.

    While one part is computed, a thread tokenises the next: the device need not wait for it.
    """

    def reading(part: Sequence[pa.ChunkedArray]) -> Reading:
        started = perf_counter()
        tokens = encode(*part)
        return token_reading(read, tokens, perf_counter() - started)

    count = len(columns[0])
    if count <= PART_TEXTS:
        return [reading(columns)]
    parts = -(-count // PART_TEXTS)
    ends = [count * part // parts for part in range(parts + 1)]
    pieces = ([column.slice(i, j - i) for column in columns] for i, j in pairwise(ends))
    return ahead(map(reading, pieces))


def image_reading(
    read: ModelInputs, config: Config, settings: Mapping[str, Any], images: pa.ChunkedArray
) -> Reading:
    """Of images, ``(n,)`` binary without nulls: decoded beside the batches that run."""
    column = ImageColumn(images, ImageSettings(**settings), Patches.of(config))
    return Reading(
        column.offsets,
        lambda batch: _completed(read, {"rows": column.rows(batch.sequences)}, batch),
    )


def _completed(
    read: ModelInputs, given: Mapping[str, HostArray], batch: Batch
) -> Mapping[str, HostArray]:
    """What the plan reads of a batch, types and positions as they are unless given."""
    completed = {name: x for name, x in given.items() if name in read.by_row}
    if "type_ids" in read.by_row and "type_ids" not in given:
        completed["type_ids"] = np.zeros(len(batch.rows), np.int32)
    if "position_ids" in read.by_row and "position_ids" not in given:
        completed["position_ids"] = batch.positions
    return completed
