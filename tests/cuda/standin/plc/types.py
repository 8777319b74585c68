"""``pylibcudf.types``: the types of columns that are in the stand-in."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from tests.cuda.standin.checked import like

MOST_ROWS = 2**31 - 1
"""Rows of a column, and elements of a list column's child: size_type is int32."""


class TypeId(IntEnum):
    EMPTY = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT32 = 9
    FLOAT64 = 10
    BOOL8 = 11
    STRING = 23
    LIST = 24


class NullEquality(IntEnum):
    EQUAL = 0
    UNEQUAL = 1


class NullOrder(IntEnum):
    AFTER = 0
    BEFORE = 1


class Order(IntEnum):
    ASCENDING = 0
    DESCENDING = 1


class OutOfBoundsPolicy(IntEnum):
    """Of ``pylibcudf.copying``."""

    NULLIFY = 0
    DONT_CHECK = 1


DTYPES = {
    TypeId.INT8: np.dtype("int8"),
    TypeId.INT16: np.dtype("int16"),
    TypeId.INT32: np.dtype("int32"),
    TypeId.INT64: np.dtype("int64"),
    TypeId.UINT8: np.dtype("uint8"),
    TypeId.UINT16: np.dtype("uint16"),
    TypeId.UINT32: np.dtype("uint32"),
    TypeId.UINT64: np.dtype("uint64"),
    TypeId.FLOAT32: np.dtype("float32"),
    TypeId.FLOAT64: np.dtype("float64"),
    TypeId.BOOL8: np.dtype("bool"),
}
"""Float16 is missing in libcudf as well."""


@like("pylibcudf.types.DataType")
class DataType:
    def __init__(self, type_id: TypeId, scale: int = 0) -> None:
        if not isinstance(type_id, TypeId):
            raise TypeError(f"type_id must be a TypeId, got {type_id!r}")
        self._id = type_id

    def id(self) -> TypeId:
        return self._id

    def scale(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DataType) and self._id == other._id

    def __hash__(self) -> int:
        return hash(self._id)

    def __repr__(self) -> str:
        return f"DataType({self._id.name})"


def size_of(t: DataType) -> int:
    return int(dtype_of(t).itemsize)


def dtype_of(t: DataType) -> Any:
    """NumPy's dtype of a fixed-width type."""
    if t.id() not in DTYPES:
        raise ValueError(f"{t} has no fixed width")
    return DTYPES[t.id()]


def type_of(dtype: Any) -> DataType:
    """The type of a dtype; ValueError for those that libcudf has not."""
    for type_id, known in DTYPES.items():
        if known == dtype:
            return DataType(type_id)
    raise ValueError(f"Unsupported dtype: {np.dtype(dtype).str[1:]}")
