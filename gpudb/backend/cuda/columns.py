"""Blocks and packed sequences as cuDF columns and back, without a copy.

cuDF has no type for arrays of a fixed shape, and none of 16 bits: a block is one row of a LIST
column, half types are kept as uint16, and shape and dtype come from the tensor's schema. A LIST
column holds fewer than 2**31 elements, so many blocks are several columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import cupy as cp
import numpy as np
import pylibcudf as plc

from gpudb.errors import DeviceError

MAX_ELEMENTS = 2**31 - 1
"""Of one LIST column: cuDF counts in int32."""

TYPES = {
    "float64": plc.TypeId.FLOAT64,
    "float32": plc.TypeId.FLOAT32,
    "float16": plc.TypeId.UINT16,
    "uint16": plc.TypeId.UINT16,
    "int64": plc.TypeId.INT64,
    "int32": plc.TypeId.INT32,
    "int8": plc.TypeId.INT8,
}
"""Dtype of an array -> type of the column that holds it."""


def blocks_per_column(block: Sequence[int]) -> int:
    """How many blocks of this shape one LIST column holds; a join may double it, so half of it.

    Raises
    ------
    DeviceError
        Not even one does.
    """
    elements = max(1, prod(block))
    if elements > MAX_ELEMENTS:
        raise DeviceError(
            f"a block of {'×'.join(map(str, block))} has {elements:,} elements, cuDF takes "
            f"{MAX_ELEMENTS:,} in a column; store the tensor in smaller blocks"
        )
    return max(1, MAX_ELEMENTS // 2 // elements)


def list_columns(blocks: Any) -> list[plc.Column]:
    """Blocks ``(n, *block)``, C-contiguous, as LIST columns over the same memory."""
    most = blocks_per_column(blocks.shape[1:])
    chunks = range(0, max(1, len(blocks)), most)
    return [_list_column(blocks[start : start + most]) for start in chunks]


def list_view(column: plc.Column, block: Sequence[int], dtype: str) -> Any:
    """A LIST column of blocks as an array ``(n, *block)`` over the same memory.

    Two offsets are read back to see how many elements there are, which waits for the device.

    Parameters
    ----------
    column
        Every row has as many elements as a block; may be a slice of a larger column.
    block
        Shape of a block.
    dtype
        NumPy's name of the elements' type; ``float16`` where the column has uint16.

    Raises
    ------
    DeviceError
        The column has nulls, or another number of elements.
    """
    if column.null_count():
        raise DeviceError(f"column of blocks: {column.null_count()} rows are null, expected none")
    rows, elements = column.size(), prod(block)
    lists, start = column.list_view(), column.offset()
    offsets = column_view(lists.offsets(), "int32")[start : start + rows + 1]
    first, last = (int(cp.asnumpy(offsets[i : i + 1])[0]) for i in (0, rows)) if rows else (0, 0)
    if last - first != rows * elements:
        raise DeviceError(
            f"column of blocks: {rows} rows with {last - first} elements, expected {elements} in "
            "every row"
        )
    return column_view(lists.child(), dtype)[first:last].reshape(rows, *block)


def sequence_column(values: Any, offsets: Any) -> plc.Column:
    """Packed sequences as one LIST column over the same memory.

    Parameters
    ----------
    values
        ``(t,)`` numbers, one sequence after the other; or ``(t, width)`` rows of numbers,
        C-contiguous: then each row is a LIST in the LIST of its sequence.
    offsets
        ``(s + 1,)`` int32: row i is ``values[offsets[i]:offsets[i + 1]]``. What lies beyond the
        last of them is in no row.

    Raises
    ------
    DeviceError
        There are more values than a column holds.
    """
    if values.size > MAX_ELEMENTS:
        raise DeviceError(
            f"sequences: {values.size:,} values, cuDF takes {MAX_ELEMENTS:,} in a column; use a "
            "smaller token budget"
        )
    child = number_column(values) if values.ndim == 1 else _list_column(values)
    children = [number_column(offsets), child]
    return plc.Column(plc.DataType(plc.TypeId.LIST), offsets.size - 1, None, None, 0, 0, children)


def sequence_views(column: plc.Column, dtype: str) -> tuple[Any, Any]:
    """The values ``(t,)`` and offsets ``(s + 1,)`` of a LIST column, over the same memory.

    The offsets of a slice do not start at 0: they count in all values of the column it is of.

    Raises
    ------
    DeviceError
        A row, or a value, is null.
    """
    lists, start = column.list_view(), column.offset()
    if nulls := column.null_count() + lists.child().null_count():
        raise DeviceError(f"column of sequences: {nulls} rows or values are null, expected none")
    offsets = column_view(lists.offsets(), "int32")[start : start + column.size() + 1]
    return column_view(lists.child(), dtype), offsets


def column_view(column: plc.Column, dtype: str) -> Any:
    """A column of numbers as an array over the same memory; a slice keeps its place."""
    itemsize = np.dtype(dtype).itemsize
    if not column.size():
        return cp.empty((0,), dtype)
    memory = cp.asarray(column.data()).reshape(-1).view(np.uint8)
    first = column.offset() * itemsize
    return memory[first : first + column.size() * itemsize].view(dtype)


def number_column(x: Any) -> plc.Column:
    """An array ``(n,)`` as a column over the same memory."""
    kind = plc.DataType(TYPES[str(x.dtype)])
    return plc.Column(kind, x.size, plc.gpumemoryview(_bytes(x)), None, 0, 0, [])


def key_columns(keys: Any) -> Iterator[plc.Column]:
    """Block keys ``(n, ndim)``, host or device, as one int32 column per axis."""
    on_device = cp.asarray(keys, dtype=np.int32)
    for axis in range(on_device.shape[1]):
        yield number_column(cp.ascontiguousarray(on_device[:, axis]))


def _list_column(blocks: Any) -> plc.Column:
    rows = len(blocks)
    elements = prod(blocks.shape[1:])
    child = number_column(blocks.reshape(-1))
    offsets = number_column(cp.arange(rows + 1, dtype=np.int32) * np.int32(elements))
    return plc.Column(plc.DataType(plc.TypeId.LIST), rows, None, None, 0, 0, [offsets, child])


def _bytes(x: Any) -> Any:
    """The same memory as bytes: cuDF knows no float16, and takes no empty span otherwise."""
    return x.view(np.uint8)
