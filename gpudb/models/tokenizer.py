"""Text to token ids: one Arrow LIST row per text, nothing padded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer
from tokenizers.models import WordPiece

from gpudb.errors import CheckpointError, InputError
from gpudb.models.text_column import as_text_column
from gpudb.types import HostArray

SLICE_TEXTS = 4096
SLICE_BYTES = 1 << 24
MOST_TOKENS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids of many texts.

    Parameters
    ----------
    ids
        LIST<int32>, row i holds the ids of text i.
    """

    ids: pa.ListArray

    @property
    def values(self) -> HostArray:
        """The ids of all texts one after another, ``(t,)`` int32; a view."""
        values: HostArray = self.ids.values.to_numpy(zero_copy_only=True)
        return values

    @property
    def offsets(self) -> HostArray:
        """Text i has ``values[offsets[i]:offsets[i + 1]]``; ``(n + 1,)`` int32; a view."""
        offsets: HostArray = self.ids.offsets.to_numpy(zero_copy_only=True)
        return offsets


class TextTokenizer:
    """A tokenizer that cuts long texts and never pads.

    Parameters
    ----------
    json_text
        The text of a ``tokenizer.json``. Its own padding is ignored, and of its truncation all but
        the side.
    max_tokens
        Texts keep at most this many tokens, special tokens included; None keeps all.
    threads
        Worker threads; 0 means one per processor. They belong to the process and start with the
        first text it encodes: that number stays, and so does ``RAYON_NUM_THREADS`` where it is set.
    """

    def __init__(self, json_text: str, max_tokens: int | None = None, threads: int = 0) -> None:
        try:
            self._tokenizer = Tokenizer.from_str(json_text)
        # The library raises plain Exception for anything wrong in the text.
        except Exception as error:
            raise CheckpointError(
                f"the stored tokenizer cannot be read ({error}); import the model again"
            ) from error
        self._threads = threads
        side = (self._tokenizer.truncation or {}).get("direction", "right")
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        if max_tokens is not None:
            least = max(1, self._tokenizer.num_special_tokens_to_add(False))
            if max_tokens < least:
                raise InputError(
                    f"max_tokens is {max_tokens}; expected at least {least}, "
                    "the special tokens around every text"
                )
            self._tokenizer.enable_truncation(max_tokens, direction=side)

    @property
    def id_count(self) -> int:
        """Rows an embedding needs: one more than the largest id that any text can have."""
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=True)
        # The template around every text has ids of its own, which a file may set to anything.
        around = self._tokenizer.encode("").ids
        return max([*vocabulary.values(), *around], default=-1) + 1

    def encode(self, texts: pa.Array | pa.ChunkedArray) -> Tokens:
        """Token ids of a column of texts without nulls, in parallel.

        Raises
        ------
        InputError
            The column is no text, holds nulls, or needs more than 2^31 - 1 tokens.
        """
        column = as_text_column(texts, "texts")
        if column.null_count:
            raise InputError(
                f"texts: found {column.null_count} nulls among {len(column)} texts; "
                "drop them before encoding"
            )
        _start_workers(self._threads)
        lengths = [np.zeros(1, np.int64)]
        values = [np.zeros(0, np.int32)]
        total = 0
        for piece in _slices(column):
            encodings = self._tokenizer.encode_batch_fast(piece.to_pylist())
            counts = np.fromiter(map(len, encodings), np.int64, len(encodings))
            total += int(counts.sum())
            if total > MOST_TOKENS:
                raise InputError(
                    f"texts: more than {MOST_TOKENS:,} tokens in {len(column):,} texts; "
                    "encode the column in parts"
                )
            ids = chain.from_iterable(encoding.ids for encoding in encodings)
            values.append(np.fromiter(ids, np.int32, int(counts.sum())))
            lengths.append(counts)
        offsets = np.cumsum(np.concatenate(lengths)).astype(np.int32)
        return Tokens(pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(values))))


def _slices(column: pa.ChunkedArray) -> Iterator[pa.ChunkedArray]:
    """Cut ``column`` so that what the library holds for one slice stays small."""
    sizes = pc.binary_length(column).to_numpy()
    ends = np.cumsum(sizes, dtype=np.int64)
    start = 0
    while start < len(column):
        full = np.searchsorted(ends, ends[start] - sizes[start] + SLICE_BYTES, side="right")
        stop = max(start + 1, min(start + SLICE_TEXTS, int(full)))
        yield column.slice(start, stop - start)
        start = stop


@cache
def _start_workers(threads: int) -> None:
    """Start the library's thread pool, which reads its size from the environment, once."""
    if threads == 0 or "RAYON_NUM_THREADS" in os.environ:
        return
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    try:
        Tokenizer(WordPiece({"a": 0}, unk_token="a")).encode_batch_fast(["", ""])
    finally:
        del os.environ["RAYON_NUM_THREADS"]
