"""Dense array to blocks and back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from gpudb.errors import InputError, SchemaError
from gpudb.storage import MAX_BLOCK_ELEMENTS
from gpudb.types import HostArray, TensorSchema, storage_dtype


def check_values(schema: TensorSchema, values: HostArray) -> None:
    """Raise unless ``values`` are the storage elements of a tensor of ``schema``."""
    if schema.ndim == 0:
        raise SchemaError(f"{schema.name}: a tensor needs at least one axis; give shape (1,)")
    elements = int(np.prod(schema.block_numbers, dtype=object))
    if elements > MAX_BLOCK_ELEMENTS:
        raise SchemaError(
            f"{schema.name}: a block of {schema.block} has {elements} elements; the most is "
            f"{MAX_BLOCK_ELEMENTS}: choose smaller blocks"
        )
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
