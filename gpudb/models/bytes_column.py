"""Whatever people hold a column of bytes in, as one Arrow type."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from gpudb.errors import InputError
from gpudb.models.arrow_column import describe, exported, is_gap, is_pandas_column

EXPECTED = (
    "expected the content of image files: a list or tuple of bytes (None is null), a NumPy array "
    "of objects, a pandas, polars or cuDF Series, an Arrow array of binary, or in SQL a BLOB"
)


def as_bytes_column(column: object, name: str = "column") -> pa.ChunkedArray:
    """A column of bytes as Arrow ``large_binary``; nulls stay nulls.

    Accepts lists and tuples of bytes and None, NumPy and pandas columns of such objects, Arrow
    arrays of any binary type, and what has Arrow's interfaces.

    Parameters
    ----------
    column
        The bytes.
    name
        What to call them in errors.

    Raises
    ------
    InputError
        Anything else.
    """
    is_numpy = isinstance(column, np.ndarray) and column.ndim == 1
    if (is_numpy or is_pandas_column(column)) and column.dtype == object:  # type: ignore[attr-defined]
        column = column.tolist()  # type: ignore[attr-defined]
    if isinstance(column, list | tuple):
        return _from_objects(column, name)
    found = exported(column, name, EXPECTED)
    if not _is_bytes(found.type):
        raise InputError(f"{name}: found {describe(column)} of {found.type}; {EXPECTED}")
    return found.cast(pa.large_binary())


def _from_objects(values: Sequence[object], name: str) -> pa.ChunkedArray:
    # Arrow would take a str, too.
    for row, value in enumerate(values):
        if not (value is None or isinstance(value, bytes | bytearray) or is_gap(value)):
            raise InputError(f"{name}: row {row} is {describe(value)}; {EXPECTED}")
    return pa.chunked_array([pa.array(values, pa.large_binary(), from_pandas=True)])


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_null(kind)
    )
