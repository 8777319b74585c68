"""Rows of keys and blocks, from a query, as elements of a stored tensor."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from gpudb.errors import InputError
from gpudb.types import HostArray, TensorSchema, storage_dtype


def placed(schema: TensorSchema, rows: pa.Table) -> tuple[HostArray, list[int]]:
    """The rows in their places.

    Parameters
    ----------
    schema
        Of the tensor.
    rows
        A column of whole numbers per axis, then lists of the elements inside the tensor, row-major.

    Returns
    -------
    tuple
        A dense array with zeros elsewhere, and the row-major grid positions of the rows, rising.

    Raises
    ------
    InputError
        A row has no place in the tensor, or another number of elements than its place.
    """
    stored = storage_dtype(schema.dtype)
    if stored.name != schema.dtype:
        raise InputError(
            f"{schema.name} is {schema}; rows are added to float64, float32 and integer tensors: "
            "create the whole tensor again"
        )
    keys = _keys(schema, rows)
    column = rows.column(schema.ndim)
    if not pa.types.is_list(column.type) or column.null_count:
        raise InputError(
            f"{schema.name}: found {column.type} with {column.null_count} nulls for the block; "
            "expected a list of elements in every row"
        )
    try:
        lists = column.cast(pa.list_(pa.from_numpy_dtype(stored)))
    except pa.ArrowException as error:
        raise InputError(f"{schema.name}: the elements are no {schema.dtype} ({error})") from error
    values = np.zeros(schema.numbers, stored)
    for key, block in zip(keys.tolist(), _arrays(lists), strict=True):
        place = tuple(
            slice(k * step, (k + 1) * step)
            for k, step in zip(key, schema.block_numbers, strict=True)
        )
        target = values[place]
        if block.size != target.size:
            raise InputError(
                f"{schema.name}: the block at {tuple(key)} has {block.size} elements; expected "
                f"{target.size}, a block of {target.shape}"
            )
        target[...] = block.reshape(target.shape)
    numbers = np.ravel_multi_index(tuple(keys.T), schema.grid) if len(keys) else np.empty(0, int)
    if len(np.unique(numbers)) < len(numbers):
        raise InputError(f"{schema.name}: two rows have the same key; each block has one row")
    return values, np.sort(numbers).tolist()


def _keys(schema: TensorSchema, rows: pa.Table) -> HostArray:
    keys = np.empty((rows.num_rows, schema.ndim), np.int64)
    for axis in range(schema.ndim):
        column = rows.column(axis)
        if not pa.types.is_integer(column.type) or column.null_count:
            raise InputError(
                f"{schema.name}: found {column.type} with {column.null_count} nulls for key "
                f"{axis}; expected whole numbers"
            )
        keys[:, axis] = column.to_numpy()
    outside = ((keys < 0) | (keys >= schema.grid)).any(1)
    if outside.any():
        raise InputError(
            f"{schema.name}: no block has the key {tuple(keys[outside.argmax()].tolist())}; its "
            f"grid is {schema.grid}"
        )
    return keys


def _arrays(lists: pa.ChunkedArray) -> list[HostArray]:
    return [
        chunk.values.slice(start, stop - start).to_numpy(zero_copy_only=False)
        for chunk in lists.chunks
        for start, stop in zip(
            chunk.offsets.to_numpy()[:-1].tolist(),
            chunk.offsets.to_numpy()[1:].tolist(),
            strict=True,
        )
    ]
