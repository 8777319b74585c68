"""A column of somebody else's library as an Arrow array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from gpudb.errors import InputError


def arrow_column(column: object) -> pa.ChunkedArray | None:
    """What is Arrow, or says how to become it: polars, cuDF, anything with Arrow's interface.

    Host memory is not copied; a column of cuDF is brought from the GPU. None for what is neither.
    """
    if isinstance(column, pa.ChunkedArray):
        return column
    if isinstance(column, pa.Array):
        return pa.chunked_array([column])
    if hasattr(column, "__arrow_c_stream__"):
        return pa.chunked_array(column)
    if hasattr(column, "__arrow_c_array__"):
        return pa.chunked_array([pa.array(column)])
    if hasattr(column, "to_arrow"):  # a Series of cuDF has nothing else
        return pa.chunked_array([column.to_arrow()])
    return None


def exported(
    column: object,
    name: str,
    expected: str,
    to_arrow: Callable[[Any], pa.ChunkedArray | None] = arrow_column,
) -> pa.ChunkedArray:
    """What ``to_arrow`` makes of a column.

    Parameters
    ----------
    column
        Of any library.
    name, expected
        What to call it in errors, and what it should be.

    Raises
    ------
    InputError
        It does not become Arrow.
    """
    try:
        found = to_arrow(column)
    # Other people's exporters raise what they like.
    except Exception as error:
        raise InputError(
            f"{name}: found {describe(column)}, which does not become Arrow ({error}); {expected}"
        ) from error
    if found is None:
        raise InputError(f"{name}: found {describe(column)}; {expected}")
    return found


def is_pandas_column(column: object) -> bool:
    """True for a Series or an index of pandas, which need not be installed."""
    # By name. A DataFrame has no dtype.
    return type(column).__module__.partition(".")[0] == "pandas" and hasattr(column, "dtype")


def is_gap(value: object) -> bool:
    """True for what stands for null in columns of objects: NaN, ``pandas.NA``, ``NaT``."""
    if isinstance(value, float):
        return value != value
    return type(value).__name__ in ("NAType", "NaTType")


def describe(value: object) -> str:
    """The type of a value, for errors."""
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
