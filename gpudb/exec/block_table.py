"""Blocks as an Arrow table: one row per block, its key beside its elements."""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gpudb.exec.batch import Keys
from gpudb.types import HostArray, TensorSchema

LIST_ELEMENTS = 2**31 - 1
"""Most elements in one chunk: what the int32 offsets of a LIST can count."""


def block_table(keys: Keys, blocks: HostArray, schema: TensorSchema) -> pa.Table:
    """Key columns ``i0``, ``i1``, … (int32) and ``block``, a list per row.

    Parameters
    ----------
    keys
        ``(n, ndim)`` grid coordinates.
    blocks
        ``(n, *block)`` on the host.
    schema
        Of the whole tensor; the elements outside it, padding, are left out of the lists.
    """
    columns = {f"i{axis}": pa.array(keys[:, axis], pa.int32()) for axis in range(schema.ndim)}
    rows = max(1, LIST_ELEMENTS // max(1, prod(schema.block_numbers)))
    starts = range(0, len(keys), rows) or (0,)
    chunks = [_lists(keys[a : a + rows], blocks[a : a + rows], schema) for a in starts]
    return pa.table({**columns, "block": pa.chunked_array(chunks)})


def elements_inside(
    keys: Keys, schema: TensorSchema
) -> tuple[HostArray, npt.NDArray[np.bool_] | None]:
    """How many elements of each block lie inside the tensor, and which; the others are padding.

    Returns
    -------
    extents
        ``(n,)`` int64.
    inside
        ``(n, *block)``; None where nothing is padding.
    """
    mine = [
        np.minimum(step, extent - keys[:, axis].astype(np.int64) * step)
        for axis, (extent, step) in enumerate(
            zip(schema.numbers, schema.block_numbers, strict=True)
        )
    ]
    extents = np.prod(mine, axis=0, dtype=np.int64)
    if (extents == prod(schema.block_numbers)).all():
        return extents, None
    inside = np.ones((len(keys), *(1,) * schema.ndim), np.bool_)
    for axis, step in enumerate(schema.block_numbers):
        along = [1] * schema.ndim
        along[axis] = step
        within = np.arange(step) < mine[axis][:, None]
        inside = inside & within.reshape(len(keys), *along)
    return extents, inside


def list_offsets(extents: HostArray) -> HostArray:
    """Where each list begins, and where the last one ends: ``(n + 1,)`` int32."""
    return np.concatenate([[0], np.cumsum(extents)]).astype(np.int32)


def _lists(keys: Keys, blocks: HostArray, schema: TensorSchema) -> pa.ListArray:
    extents, inside = elements_inside(keys, schema)
    values = blocks.reshape(-1) if inside is None else blocks[inside]
    return pa.ListArray.from_arrays(list_offsets(extents), pa.array(values))
