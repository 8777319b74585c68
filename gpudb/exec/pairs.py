"""Which blocks of two relations meet: equi-joins on block keys, on the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.missing import key_grid, positions
from gpudb.exec.operator import Pairing
from gpudb.keys import KeyTests, matching
from gpudb.types import HostArray, TensorSchema

On = tuple[tuple[int, int], ...]
"""Pairs of (left axis, right axis) whose keys must be equal."""


def free_axes(ndim: int, joined: On) -> tuple[int, ...]:
    """Axes of the right side that are not joined."""
    taken = {right for _, right in joined}
    return tuple(axis for axis in range(ndim) if axis not in taken)


def equi_join(backend: Backend, left: Keys, right: Keys, on: On) -> tuple[HostArray, HostArray]:
    """Row numbers of all pairs whose keys agree, by left row, then by right row.

    Joined axes are cut alike on both sides.
    """
    return backend.equi_join(left[:, [axis for axis, _ in on]], right[:, [axis for _, axis in on]])


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs of blocks whose result somebody wants."""

    keys: Keys
    """Of the result of each pair; in order of the left rows."""
    left: HostArray
    right: HostArray
    """Row numbers."""
    met: int
    """Pairs that meet, wanted or not."""

    def pairing(self, a: TensorSchema, b: TensorSchema, on: On, launches: int) -> Pairing:
        """What EXPLAIN tells of them."""
        pairs = len(self.left)
        return Pairing(
            pairs,
            skipped=all_pairs(a, b, on) - self.met,
            launches=launches,
            pruned=self.met - pairs,
        )


def wanted_pairs(
    backend: Backend,
    left: Keys,
    right: Keys,
    on: On,
    kept: Sequence[int],
    columns: Sequence[int],
    tests: KeyTests,
) -> Pairs:
    """Join blocks, and keep the pairs whose result passes the tests.

    Parameters
    ----------
    backend
        The device that joins.
    left, right
        Keys of the blocks.
    on
        What is joined.
    kept, columns
        The left and the right key columns that make the key of a result, in this order.
    tests
        On that key.
    """
    rows_left, rows_right = equi_join(backend, left, right, on)
    keys = np.concatenate(
        [left[rows_left][:, list(kept)], right[rows_right][:, list(columns)]], axis=1
    )
    wanted = matching(keys, tests)
    return Pairs(keys[wanted], rows_left[wanted], rows_right[wanted], len(keys))


def all_pairs(left: TensorSchema, right: TensorSchema, on: On) -> int:
    """How many pairs meet when no block is missing."""
    grid = key_grid(right)
    return prod(key_grid(left)) * prod(grid[axis] for axis in free_axes(right.ndim, on))


def find(keys: Keys, wanted: Keys, grid: tuple[int, ...]) -> HostArray:
    """For each wanted key the row of ``keys``, which are in row-major order; -1 if not there."""
    if not len(keys):
        return np.full(len(wanted), -1, np.int64)
    places, asked = positions(keys, grid), positions(wanted, grid)
    rows = np.minimum(np.searchsorted(places, asked), len(keys) - 1)
    return np.where(places[rows] == asked, rows, -1)


def grid_cells(grid: tuple[int, ...]) -> Keys:
    """Every key of a grid, in row-major order; one empty key if there is no axis."""
    return np.indices(grid, np.int32).reshape(len(grid), prod(grid)).T


def sorted_unique(keys: Keys, grid: tuple[int, ...]) -> Keys:
    """Each key once, in row-major order."""
    _, first = np.unique(positions(keys, grid), return_index=True)
    return np.ascontiguousarray(keys[first])


def gather(backend: Backend, x: Array, rows: HostArray) -> Array:
    """Blocks by number; a view where they lie one after the other. For operands, not results."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows) and (np.diff(rows) == 1).all():
        return x[int(rows[0]) : int(rows[-1]) + 1]
    return backend.take(x, rows)
