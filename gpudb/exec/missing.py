"""Blocks that are not there: where they are missing, and zeros in their place."""

from __future__ import annotations

from math import prod

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import BlockBatch, Keys, to_dense
from gpudb.kernels.take_or_zero import take_or_zero
from gpudb.types import HostArray, TensorSchema


def positions(keys: Keys, grid: tuple[int, ...]) -> HostArray:
    """Row-major positions ``(n,)`` of keys ``(n, ndim)`` in a grid."""
    place = np.zeros(len(keys), np.int64)
    for axis, blocks in enumerate(grid):
        place = place * blocks + keys[:, axis]
    return place


def key_grid(schema: TensorSchema) -> tuple[int, ...]:
    """Blocks along each axis; a named extent is one block."""
    return tuple(schema.grid_along(axis) for axis in range(schema.ndim))


def rows_of_full_grid(keys: Keys, schema: TensorSchema) -> HostArray | None:
    """For each position of the grid the number of its block, -1 where there is none.

    None when no block is missing.
    """
    grid = key_grid(schema)
    if len(keys) == prod(grid):
        return None
    rows = np.full(prod(grid), -1, np.int64)
    rows[positions(keys, grid)] = np.arange(len(keys))
    return rows


def take_blocks(backend: Backend, x: Array, rows: HostArray | None) -> Array:
    """Blocks by number; -1 gives a block of zeros, None all blocks as they are."""
    if rows is None:
        return x
    if len(rows) and rows.min() < 0:
        return backend.call(take_or_zero, x, rows)
    return backend.take(x, rows)


def dense_result(backend: Backend, result: BlockBatch, schema: TensorSchema) -> HostArray:
    """What a plan returned as a dense array on the host; ``schema`` is bound."""
    blocks = take_blocks(backend, result.data, rows_of_full_grid(result.keys, schema))
    return to_dense(backend.to_host(blocks), schema)
