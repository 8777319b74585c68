"""Read a stored tensor from its pages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.types import HostArray, Sizes, TensorSchema, storage_dtype


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScanBlocks(PhysicalOp):
    """Blocks that lie together in a page are one view; half types are widened on the way."""

    tensor: TensorSchema
    """As stored; ``out`` is as computed with."""

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        loaded = ctx.load(self.tensor) or (_no_blocks(self.tensor),)
        runs = [ctx.backend.to_device(run) for run in loaded]
        blocks = runs[0] if len(runs) == 1 else ctx.backend.concat(runs)
        return ctx.backend.widen(blocks, self.tensor.dtype)

    def cost(self, sizes: Sizes) -> Cost:
        return Cost(read=self.tensor.nbytes)

    def detail(self) -> str:
        return f"{self.tensor.name}: {self.tensor}"

    @property
    def is_layout(self) -> bool:
        return True


def _no_blocks(tensor: TensorSchema) -> HostArray:
    """What a tensor with an extent of 0 consists of."""
    return np.zeros((0, *tensor.block_numbers), storage_dtype(tensor.dtype))
