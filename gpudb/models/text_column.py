"""Whatever people hold a column of texts in, as one Arrow type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from gpudb.errors import InputError
from gpudb.models.arrow_column import describe, exported, is_gap, is_pandas_column

EXPECTED = (
    "expected a column of text: a list or tuple of str (None is null), a NumPy array of str or "
    "objects, a pandas, polars or cuDF Series, or an Arrow array of strings"
)


def as_text_column(column: object, name: str = "text") -> pa.ChunkedArray:
    """A column of texts as Arrow ``large_string``; nulls stay nulls.

    Accepts lists and tuples of str and None, NumPy arrays of str or objects, pandas and polars
    Series, Arrow arrays of any string type or dictionary of strings, and what has
    ``__arrow_c_stream__``, ``__arrow_c_array__`` or, as cuDF's Series, ``to_arrow``. Arrow text is
    not copied, only its offsets. A Series of cuDF is brought from the GPU, to the tokenizer.

    Parameters
    ----------
    column
        The texts.
    name
        What to call them in errors.

    Raises
    ------
    InputError
        Anything else, or text that is not Unicode.
    """
    chunked = _to_arrow(column, name)
    if not _is_text(chunked.type):
        raise InputError(f"{name}: found {describe(column)} of {chunked.type}; {EXPECTED}")
    try:
        chunked.validate(full=True)
    except pa.ArrowInvalid as error:
        raise InputError(f"{name}: the Arrow data is damaged ({error}); {EXPECTED}") from error
    return _to_large_string(chunked)


def _to_arrow(column: object, name: str) -> pa.ChunkedArray:
    if isinstance(column, list | tuple):
        return _from_objects(column, name, gaps=False)
    if isinstance(column, np.ndarray):
        return _from_numpy(column, name)
    if not is_pandas_column(column):
        return exported(column, name, EXPECTED)
    if column.dtype == object:  # type: ignore[attr-defined]
        return _from_objects(column.tolist(), name, gaps=True)  # type: ignore[attr-defined]
    return exported(column, name, EXPECTED, _from_pandas)


def _from_numpy(column: np.ndarray[Any, Any], name: str) -> pa.ChunkedArray:
    if column.ndim != 1:
        raise InputError(f"{name}: found an array of shape {column.shape}; expected one axis")
    if column.dtype.kind not in "UTO":
        raise InputError(f"{name}: found an array of {column.dtype}; {EXPECTED}")
    return _from_objects(column.tolist(), name, gaps=True)


def _from_pandas(column: Any) -> pa.ChunkedArray:
    converted = pa.array(column, from_pandas=True)
    return converted if isinstance(converted, pa.ChunkedArray) else pa.chunked_array([converted])


def _from_objects(values: Sequence[object], name: str, gaps: bool) -> pa.ChunkedArray:
    """Python objects as Arrow; ``gaps`` takes NaN and pandas.NA for null as pandas does."""
    if not all(issubclass(kind, str | None) for kind in set(map(type, values))):
        for row, value in enumerate(values):
            if not (value is None or isinstance(value, str) or (gaps and is_gap(value))):
                raise InputError(
                    f"{name}: row {row} is {describe(value)}; expected str or None in every row"
                )
    try:
        array = pa.array(values, pa.large_string(), from_pandas=gaps)
    except UnicodeError as error:
        raise InputError(
            f"{name}: row {_first_broken(values)} holds a lone surrogate, which is not Unicode "
            "text; replace it, e.g. with text.encode('utf-8', 'replace').decode()"
        ) from error
    return pa.chunked_array([array])


def _first_broken(values: Sequence[object]) -> int:
    for row, value in enumerate(values):
        if isinstance(value, str):
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                return row
    return len(values)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )


def _to_large_string(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        # Arrow cannot take from string_view, so the dictionary is cast before the indices pick.
        chunks = [
            chunk.dictionary.cast(pa.large_string()).take(chunk.indices) for chunk in column.chunks
        ]
        return pa.chunked_array(chunks, pa.large_string())
    return column.cast(pa.large_string())
