"""Text to token ids: one Arrow LIST row per text, nothing padded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from operator import attrgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Encoding, Tokenizer
from tokenizers.models import WordPiece

from gpudb.errors import CheckpointError, InputError
from gpudb.models.text_column import as_text_column
from gpudb.types import HostArray

SLICE_TEXTS = 4096
SLICE_BYTES = 1 << 24
MOST_TOKENS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids of many texts, or pairs of texts.

    Parameters
    ----------
    ids
        LIST<int32>, row i holds the ids of text i.
    types
        ``(t,)`` int32, which text of its pair a token is of; None where there are no pairs.
    """

    ids: pa.ListArray
    types: HostArray | None = None

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


@dataclass(frozen=True, slots=True)
class Places:
    """Where tokens stand in their texts.

    Parameters
    ----------
    starts, stops
        ``(t,)`` int32: a token is of the characters ``start <= i < stop``.
    special
        ``(t,)`` bool: the tokenizer has put it there, it stands for no text.
    """

    starts: HostArray
    stops: HostArray
    special: HostArray


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
        self._max_tokens = max_tokens
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
        (ids,), offsets = self._encode([texts], [_ids])
        return _tokens(ids, offsets)

    def encode_pairs(
        self, first: pa.Array | pa.ChunkedArray, second: pa.Array | pa.ChunkedArray
    ) -> Tokens:
        """Token ids of pairs of texts, and which text each token is of.

        Of a pair that is too long the longer text loses tokens first, as in transformers'
        ``longest_first``.

        Raises
        ------
        InputError
            As :meth:`encode`; or ``max_tokens`` leaves no room beside the special tokens.
        """
        special = self._tokenizer.num_special_tokens_to_add(True)
        if self._max_tokens is not None and self._max_tokens < special:
            raise InputError(
                f"max_tokens is {self._max_tokens}; expected at least {special}, the special "
                "tokens around every pair of texts"
            )
        (ids, types), offsets = self._encode([first, second], [_ids, _types])
        return _tokens(ids, offsets, types)

    def encode_places(self, texts: pa.Array | pa.ChunkedArray) -> tuple[Tokens, Places]:
        """Token ids of texts, and the characters that each token is of."""
        wanted = [_ids, _starts, _stops, _special]
        (ids, starts, stops, special), offsets = self._encode([texts], wanted, fast=False)
        return _tokens(ids, offsets), Places(starts, stops, special.astype(bool))

    def id_of(self, token: str) -> int | None:
        """The id of a token; None if there is none of this name."""
        found: int | None = self._tokenizer.token_to_id(token)
        return found

    def text_of(self, token: int) -> str:
        """What a token looks like in a text."""
        text: str = self._tokenizer.decode([token], skip_special_tokens=False)
        return text

    def _encode(
        self,
        columns: Sequence[pa.Array | pa.ChunkedArray],
        wanted: Sequence[Callable[[Encoding], Iterable[int]]],
        fast: bool = True,
    ) -> tuple[list[HostArray], HostArray]:
        """Tokens of a column, or of two as pairs, in parallel; and the offsets of the rows in them.

        Each of ``wanted`` gives a number for every token. ``fast`` leaves out where tokens stand.
        """
        texts = [_checked(column) for column in columns]
        _start_workers(self._threads)
        encode = self._tokenizer.encode_batch_fast if fast else self._tokenizer.encode_batch
        lengths = [np.zeros(1, np.int64)]
        values = [[np.zeros(0, np.int32)] for _ in wanted]
        total = 0
        for start, stop in _slices(texts):
            pieces = [column.slice(start, stop - start).to_pylist() for column in texts]
            encodings = encode(pieces[0] if len(pieces) == 1 else list(zip(*pieces, strict=True)))
            counts = np.fromiter(map(len, encodings), np.int64, len(encodings))
            tokens = int(counts.sum())
            total += tokens
            if total > MOST_TOKENS:
                raise InputError(
                    f"texts: more than {MOST_TOKENS:,} tokens in {len(texts[0]):,} texts; "
                    "encode the column in parts"
                )
            for found, numbers in zip(values, wanted, strict=True):
                flat = chain.from_iterable(map(numbers, encodings))
                found.append(np.fromiter(flat, np.int32, tokens))
            lengths.append(counts)
        offsets = np.cumsum(np.concatenate(lengths)).astype(np.int32)
        return [np.concatenate(found) for found in values], offsets


_ids: Callable[[Encoding], list[int]] = attrgetter("ids")
_types: Callable[[Encoding], list[int]] = attrgetter("type_ids")
_special: Callable[[Encoding], list[int]] = attrgetter("special_tokens_mask")


def _starts(encoding: Encoding) -> Iterable[int]:
    return (start for start, _ in encoding.offsets)


def _stops(encoding: Encoding) -> Iterable[int]:
    return (stop for _, stop in encoding.offsets)


def _tokens(ids: HostArray, offsets: HostArray, types: HostArray | None = None) -> Tokens:
    return Tokens(pa.ListArray.from_arrays(pa.array(offsets), pa.array(ids)), types)


def _checked(texts: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    column = as_text_column(texts, "texts")
    if column.null_count:
        raise InputError(
            f"texts: found {column.null_count} nulls among {len(column)} texts; "
            "drop them before encoding"
        )
    return column


def _slices(columns: Sequence[pa.ChunkedArray]) -> Iterator[tuple[int, int]]:
    """Rows ``start:stop``, so few that what the library holds for them stays small."""
    if len(columns[0]) == 1:
        yield 0, 1
        return
    sizes = sum(pc.binary_length(column).to_numpy().astype(np.int64) for column in columns)
    ends = np.cumsum(sizes)
    start = 0
    while start < len(ends):
        full = np.searchsorted(ends, ends[start] - sizes[start] + SLICE_BYTES, side="right")
        stop = max(start + 1, min(start + SLICE_TEXTS, int(full)))
        yield start, stop
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
