"""What cuDF's objects have, for doors that know them by it; their data is Arrow's, on the host.

The real classes are compared with these in ``tests/cuda/test_cudf_frames.py``.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa


class Series:
    """It has ``to_arrow``, and nothing of Arrow's C interface."""

    def __init__(self, values: pa.Array) -> None:
        self._values = values

    def to_arrow(self) -> pa.Array:
        return self._values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("Implicit conversion to a host NumPy array via __array__ is not allowed")

    def __iter__(self) -> Any:
        raise TypeError("Series object is not iterable")


class DataFrame:
    """Its Arrow stream has the index as a column; ``to_arrow`` may leave it out."""

    def __init__(self, table: pa.Table, index: list[int]) -> None:
        self._table, self._index = table, index

    def to_arrow(self, preserve_index: bool | None = None) -> pa.Table:
        if preserve_index is False:
            return self._table
        return self._table.append_column("__index_level_0__", pa.array(self._index))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.to_arrow().__arrow_c_stream__()

    __array__ = Series.__array__


class GpuArray:
    """An array of CuPy, which NumPy must not take by itself."""

    ndim = 2
    __array__ = Series.__array__

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": (1, 1), "typestr": "<f4", "data": (0, False), "version": 3}


Series.__module__ = "cudf.core.series"
DataFrame.__module__ = "cudf.core.dataframe"
