"""A column of texts is embedded text by text: each distinct one once, its vector in every row."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from gpudb.types import HostArray


def distinct_texts(texts: pa.ChunkedArray) -> tuple[pa.LargeStringArray, pa.Int32Array]:
    """The distinct texts of a column ``(n,)``, and the number of each row's: null where it is."""
    encoded = pc.dictionary_encode(texts.cast(pa.large_string())).combine_chunks()
    return encoded.dictionary, encoded.indices


def vectors_of_rows(vectors: HostArray, numbers: pa.Int32Array) -> pa.FixedSizeListArray:
    """The vector ``(m, width)`` that each row's number ``(n,)`` stands for; null for null."""
    flat = pa.array(vectors.reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]).take(numbers)
