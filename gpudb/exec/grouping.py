"""Keys and blocks when some key columns come down to one key each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpudb.exec.batch import Keys
from gpudb.types import TensorSchema

Axes = tuple[int, ...]


def vanishing(schema: TensorSchema, dropped: Axes) -> Axes:
    """The dropped axes that have no elements of their own: their blocks have the extent 1."""
    return tuple(axis for axis in dropped if schema.block[axis] == 1)


def result_keys(keys: Keys, schema: TensorSchema, dropped: Axes) -> Keys:
    """The key that each block has in the result; a dropped axis that stays has one block."""
    moved = keys.copy()
    moved[:, list(dropped)] = 0
    gone = vanishing(schema, dropped)
    if len(gone) == schema.ndim:
        return np.zeros((len(keys), 1), np.int32)
    return np.delete(moved, list(gone), axis=1)


def result_block(block: Sequence[int], schema: TensorSchema, dropped: Axes) -> tuple[int, ...]:
    """Extents of a result block, from those of an input block."""
    gone = vanishing(schema, dropped)
    return tuple(n for axis, n in enumerate(block) if axis not in gone) or (1,)
