"""Dense array to blocks and back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from gpudb.errors import InputError, SchemaError
from gpudb.storage import MAX_BLOCK_ELEMENTS
from gpudb.types import HostArray, TensorSchema, storage_dtype


def check_schema(schema: TensorSchema) -> None:
    """Raise unless a tensor of ``schema`` can be stored."""
    if schema.ndim == 0:
        raise SchemaError(f"{schema.name}: a tensor needs at least one axis; give shape (1,)")
    elements = int(np.prod(schema.block_numbers, dtype=object))
    if elements > MAX_BLOCK_ELEMENTS:
        raise SchemaError(
            f"{schema.name}: a block of {schema.block} has {elements} elements; the most is "
            f"{MAX_BLOCK_ELEMENTS}: choose smaller blocks"
        )


def check_values(schema: TensorSchema, values: HostArray) -> None:
    """Raise unless ``values`` are the storage elements of a tensor of ``schema``."""
    check_schema(schema)
    if values.shape != schema.numbers or values.dtype != storage_dtype(schema.dtype):
        raise InputError(
            f"{schema.name}: expected {schema.numbers} of {storage_dtype(schema.dtype)}, found "
            f"{values.shape} of {values.dtype}; convert the array or give its own schema"
        )


def cut(schema: TensorSchema, values: HostArray) -> Iterator[HostArray]:
    """The blocks of a dense array, row-major by grid coordinate, contiguous, zero-padded.

    A block that lies whole and contiguous in ``values`` is a view.
    """
    block = schema.block_numbers
    for key in np.ndindex(schema.grid):
        piece = values[_place(key, block)]
        if piece.shape == block:
            yield np.ascontiguousarray(piece)
        else:
            padded = np.zeros(block, values.dtype)
            padded[_extent(piece)] = piece
            yield padded


def join(schema: TensorSchema, keys: HostArray, blocks: Iterator[HostArray]) -> HostArray:
    """The dense array of the ``blocks`` at ``keys``, without their padding: a new array."""
    values = np.zeros(schema.numbers, storage_dtype(schema.dtype))
    for key, block in zip(keys.tolist(), blocks, strict=True):
        place = values[_place(key, schema.block_numbers)]
        place[...] = block[_extent(place)]
    return values


def keys_at(schema: TensorSchema, numbers: Sequence[int]) -> HostArray:
    """(blocks, ndim) int32 grid coordinates of row-major positions."""
    keys = np.empty((len(numbers), schema.ndim), np.int32)
    if len(numbers):
        keys.T[...] = np.unravel_index(np.asarray(numbers), schema.grid)
    return keys


def numbers_of(schema: TensorSchema, keys: HostArray, blocks: HostArray, after: int) -> HostArray:
    """Row-major positions ``(n,)`` of some blocks, checked: rising, and beyond ``after``."""
    if blocks.shape != (len(keys), *schema.block_numbers) or blocks.dtype != storage_dtype(
        schema.dtype
    ):
        raise InputError(
            f"{schema.name}: expected blocks of {schema.block_numbers} of "
            f"{storage_dtype(schema.dtype)}, one for each of {len(keys)} keys; found "
            f"{blocks.shape} of {blocks.dtype}"
        )
    grid = np.array(schema.grid, np.int64)
    if keys.shape[1:] != grid.shape or np.any(keys < 0) or np.any(keys >= grid):
        raise InputError(
            f"{schema.name}: keys must be coordinates in a grid of {schema.grid} blocks; found "
            f"{keys[:3].tolist()}"
        )
    numbers = np.zeros(len(keys), np.int64)
    for axis, extent in enumerate(schema.grid):
        numbers = numbers * extent + keys[:, axis]
    if np.any(np.diff(numbers, prepend=after) <= 0):
        raise InputError(
            f"{schema.name}: blocks must come in row-major order, each once; found block "
            f"{numbers[:3].tolist()} after block {after}"
        )
    return numbers


def is_zero(block: HostArray) -> bool:
    """True when every bit of a contiguous block is 0; -0.0 is not zero here."""
    return not block.reshape(-1).view(np.uint8).any()


def block_hash(block: HostArray, dtype: str) -> bytes:
    """sha256 of a contiguous block: its logical dtype, its shape and its bytes."""
    digest = hashlib.sha256(f"{dtype} {block.shape}\n".encode())
    digest.update(block.data)
    return digest.digest()


def _place(key: Sequence[int], block: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(k * b, (k + 1) * b) for k, b in zip(key, block, strict=True))


def _extent(piece: HostArray) -> tuple[slice, ...]:
    return tuple(slice(0, extent) for extent in piece.shape)
