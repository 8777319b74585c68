"""The unit that flows between physical operators, and its dense form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from gpudb.backend import Array
from gpudb.kernels.reblock import assemble
from gpudb.types import HostArray, TensorSchema

Keys: TypeAlias = npt.NDArray[np.int32]
"""``(n, ndim)`` on the host: the grid coordinates of n blocks, in row-major order."""


@dataclass(frozen=True, slots=True)
class BlockBatch:
    """n blocks of one tensor."""

    keys: Keys
    data: Array
    """``(n, *block)`` on the device, C-contiguous: one operand of a batched GEMM."""


def grid_keys(schema: TensorSchema) -> Keys:
    """Keys of all blocks of a tensor; a named extent is one block along its axis."""
    named = {e: 1 for e in schema.shape if isinstance(e, str)}
    grid = schema.bind(named).grid
    return np.ascontiguousarray(np.indices(grid, np.int32).reshape(len(grid), -1).T)


def to_dense(keys: Keys, host_blocks: HostArray, schema: TensorSchema) -> HostArray:
    """Blocks of a bound tensor, on the host -> the dense tensor, padding dropped."""
    if len(keys) < schema.blocks:
        full = np.zeros((schema.blocks, *schema.block_numbers), host_blocks.dtype)
        full[np.ravel_multi_index(tuple(keys.T), schema.grid)] = host_blocks
        host_blocks = full
    if host_blocks.shape == (1, *schema.numbers):  # one block, perhaps with an extent of 0
        whole: HostArray = host_blocks[0]
        return whole
    dense: HostArray = assemble(host_blocks, schema.numbers, schema.block_numbers)
    return dense
