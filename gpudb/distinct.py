"""A model runs over each distinct text once, and every row gets what came out for its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def distinct_texts(texts: pa.ChunkedArray) -> tuple[pa.LargeStringArray, pa.Int32Array]:
    """The distinct texts of a column ``(n,)``, and the number of each row's: null where it is."""
    encoded = pc.dictionary_encode(texts.cast(pa.large_string())).combine_chunks()
    return encoded.dictionary, encoded.indices


def distinct_rows(columns: Sequence[pa.ChunkedArray]) -> tuple[list[pa.Array], pa.Int32Array]:
    """The distinct rows of columns of text, and the number of each row's among them.

    Parameters
    ----------
    columns
        Each ``(n,)``.

    Returns
    -------
    distinct
        Columns ``(m,)`` in the order in which rows first occur. Rows with a null are left out.
    numbers
        ``(n,)``, null where a row holds a null.
    """
    encoded = [distinct_texts(column) for column in columns]
    if len(encoded) == 1:
        return [encoded[0][0]], encoded[0][1]
    codes = pa.array(np.zeros(len(columns[0]), np.int64))
    for texts, numbers in encoded:
        codes = pc.add(pc.multiply(codes, max(1, len(texts))), numbers.cast(pa.int64()))
    rows = pc.dictionary_encode(codes)
    left = rows.dictionary.to_numpy()
    distinct = []
    for texts, _ in reversed(encoded):
        left, number = np.divmod(left, max(1, len(texts)))
        distinct.append(texts.take(pa.array(number)))
    return distinct[::-1], rows.indices
