"""A model runs over each distinct text once, and every row gets what came out for its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gpudb.errors import RowError

_FIRST = pa.array([0], pa.int32())


def distinct_texts(texts: pa.ChunkedArray) -> tuple[pa.Array, pa.Int32Array]:
    """The distinct values of a column ``(n,)``, and the number of each row's: null where it is."""
    if len(texts) == 1 and not texts.null_count:
        return texts.combine_chunks(), _FIRST
    encoded = pc.dictionary_encode(texts).combine_chunks()
    return encoded.dictionary, encoded.indices


def distinct_rows(columns: Sequence[pa.ChunkedArray]) -> tuple[list[pa.Array], pa.Int32Array]:
    """The distinct rows of columns of texts or images, and the number of each row's among them.

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


def by_row(answers: pa.Array, numbers: pa.Int32Array) -> pa.Array:
    """Answers for distinct rows ``(m,)`` -> for each row ``(n,)``, null where its number is.

    ``numbers`` are those of :func:`distinct_rows`: where no row is like another they count up.
    """
    alike = len(answers) == len(numbers) and not numbers.null_count
    return answers if alike else answers.take(numbers)


@contextmanager
def rows_in_errors(numbers: pa.Int32Array, known: int = 0) -> Iterator[None]:
    """While distinct rows are worked on, errors say which row of the column one of them is.

    Parameters
    ----------
    numbers
        What :func:`distinct_rows` returned of the column.
    known
        How many of the distinct rows come before those that are worked on.

    Raises
    ------
    RowError
        One was raised.
    """
    try:
        yield
    except RowError as error:
        row = pc.index(numbers, pa.scalar(known + error.row, numbers.type)).as_py()
        raise RowError(row, error.problem) from error
