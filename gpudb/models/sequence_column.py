"""Whatever people hold a column of sequences in, as packed values and offsets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from gpudb.errors import InputError
from gpudb.models.arrow_column import arrow_column, describe, is_pandas_column
from gpudb.types import HostArray

EXPECTED = (
    "expected a LIST column without nulls, one list per sequence: of whole numbers for token ids, "
    "of lists of numbers for rows; from Arrow, cuDF, polars or pandas, or a list of lists"
)


def as_sequences(column: Any, width: int | None) -> tuple[HostArray, HostArray]:
    """A LIST column, one row per sequence, as what a model reads.

    A column of cuDF is brought from the GPU: on the host its values are checked, and packed in
    batches of sequences of about the same length.

    Parameters
    ----------
    column
        Lists of numbers, or of lists of ``width`` numbers, as of :func:`arrow_column`; also of
        pandas, or Python's.
    width
        Numbers in a row; None where every element is one number.

    Returns
    -------
    values
        ``(t,)`` or ``(t, width)``.
    offsets
        ``(s + 1,)``: sequence i has the rows ``offsets[i]:offsets[i + 1]``.

    Raises
    ------
    InputError
        It is something else.
    """
    offsets, values = _unpacked(_to_arrow(column), "a sequence")
    if width is None:
        return _numbers(values), offsets
    lengths, numbers = _unpacked(values, "a row")
    if len(wrong := np.flatnonzero(np.diff(lengths) != width)):
        raise InputError(
            f"infer: row {wrong[0]} has {np.diff(lengths)[wrong[0]]} numbers; expected {width}"
        )
    return _numbers(numbers).reshape(len(values), width), offsets


def _to_arrow(column: Any) -> pa.Array:
    try:
        if isinstance(column, list | tuple) or is_pandas_column(column):
            found = pa.array(column, from_pandas=is_pandas_column(column))
        else:
            found = arrow_column(column)
    # Other people's exporters raise what they like.
    except Exception as error:
        raise InputError(
            f"infer: found {describe(column)}, which does not become Arrow ({error}); {EXPECTED}"
        ) from error
    if found is None:
        raise InputError(f"infer: found {describe(column)}; {EXPECTED}")
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _unpacked(lists: pa.Array, what: str) -> tuple[HostArray, pa.Array]:
    """Offsets that start at 0, and what lies between them."""
    if pa.types.is_null(lists.type) and not len(lists):
        lists = lists.cast(pa.list_(pa.null()))
    if pa.types.is_fixed_size_list(lists.type):
        lists = lists.cast(pa.large_list(lists.type.value_type))
    if not (pa.types.is_list(lists.type) or pa.types.is_large_list(lists.type)):
        raise InputError(f"infer: found {lists.type} for {what}; {EXPECTED}")
    if lists.null_count:
        row = lists.is_null().index(True).as_py()
        raise InputError(f"infer: {what} is null, in row {row}; {EXPECTED}")
    offsets = lists.offsets.to_numpy()
    first, last = int(offsets[0]), int(offsets[-1])
    return offsets - first, lists.values.slice(first, last - first)


def _numbers(values: pa.Array) -> HostArray:
    if pa.types.is_null(values.type) and not len(values):  # of lists that are all empty
        return np.empty(0, np.int64)
    plain = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    if not plain or values.null_count:
        raise InputError(
            f"infer: found elements of {values.type}, {values.null_count} of them null; {EXPECTED}"
        )
    numbers: HostArray = values.to_numpy(zero_copy_only=False)
    return numbers
