"""The choice between the two forms of a step along an axis: fused, or two-level."""

from __future__ import annotations

from gpudb.types import TensorSchema


def is_whole(schema: TensorSchema, axis: int) -> bool:
    """True when no block boundary cuts the axis: one pass over each block sees all of it."""
    return schema.grid_along(axis) <= 1


def rows_are_whole(schema: TensorSchema) -> bool:
    """:func:`is_whole` for the last axis."""
    return is_whole(schema, schema.ndim - 1)
