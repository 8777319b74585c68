"""Keep the promise that padding is zero, whatever a function makes of zero."""

from __future__ import annotations

from gpudb.backend import Array, Backend
from gpudb.exec.operator import Joined
from gpudb.kernels.clear_tail import clear_tail
from gpudb.types import TensorSchema


def clear_padding(backend: Backend, x: Array, joined: Joined, schema: TensorSchema) -> Array:
    """Zero the elements of edge blocks that lie outside the tensor; ``x`` is overwritten."""
    if not backend.computes or schema.is_one_block:
        return x
    for axis, (extent, block) in enumerate(zip(schema.shape, schema.block, strict=True)):
        if isinstance(extent, str) or isinstance(block, str) or extent % block == 0:
            continue
        edge = joined.blocks_at(axis, extent // block)
        if len(edge):
            x = backend.call(clear_tail, x, edge, axis, extent % block)
    return x
