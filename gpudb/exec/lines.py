"""Lines of blocks: those that share every key but the one along an axis."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from gpudb.exec.batch import Keys
from gpudb.types import HostArray, TensorSchema


@dataclass(frozen=True, slots=True)
class Lines:
    """Which blocks lie in which line along an axis."""

    keys: Keys
    """Keys of the lines ``(g, ndim - 1)``, in row-major order; ``(g, 1)`` zeros for a vector."""
    order: HostArray
    """Numbers of the blocks ``(n,)``, line after line, in each from its start to its end."""
    starts: HostArray
    """Where each line begins in ``order``: ``(g,)``."""
    of_block: HostArray
    """Number of the line of each block: ``(n,)``."""


def lines_along(keys: Keys, axis: int) -> Lines:
    """Group blocks, given by their keys ``(n, ndim)`` in row-major order."""
    kept = without_axis(keys, axis)
    order = sort_keys(kept)
    along = kept[order]
    first = np.ones(len(along), np.bool_)
    first[1:] = np.any(along[1:] != along[:-1], axis=1)
    of_block = np.empty(len(keys), np.int64)
    of_block[order] = np.cumsum(first) - 1
    return Lines(along[first], order, np.flatnonzero(first), of_block)


def sort_keys(keys: Keys) -> HostArray:
    """Numbers of blocks in row-major order of their keys; equal keys stay in order."""
    return np.lexsort(keys.T[::-1])


def without_axis(keys: Keys, axis: int) -> Keys:
    """Keys that lack one column; those of a vector become zero."""
    if keys.shape[1] == 1:
        return np.zeros_like(keys)
    return np.delete(keys, axis, axis=1)


def valid_lengths(keys: Keys, schema: TensorSchema, axis: int) -> HostArray:
    """How many elements along an axis of each block are inside the tensor: ``(n,)``.

    A named extent has one block without padding: the largest number stands for all of it.
    """
    extent, block = schema.shape[axis], schema.block[axis]
    if isinstance(extent, str) or isinstance(block, str):
        return np.full(len(keys), sys.maxsize, np.int64)
    return np.minimum(block, extent - keys[:, axis].astype(np.int64) * block)
