"""Read a stored tensor from its pages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.keys import KeyTests, describe_tests, matching
from gpudb.types import HostArray, Sizes, TensorSchema, storage_dtype


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScanBlocks(PhysicalOp):
    """Blocks that lie together in a page are one view; half types are widened on the way.

    ``joined.rows`` is (number of each wanted block among those that are stored).
    """

    tensor: TensorSchema
    """As stored; ``out`` is as computed with."""
    tests: KeyTests
    """Blocks that fail these are not read."""

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        (stored,) = keys
        rows = np.flatnonzero(matching(stored, self.tests))
        return Joined(stored[rows], (rows,))

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        source, name, rows = ctx.source, self.tensor.name, joined.rows[0]
        loaded = source.runs(name, rows) or (_no_blocks(self.tensor),)
        if ctx.backend.computes and (len(loaded) > 1 or self.tensor.dtype != self.out.dtype):
            # They are copied anyhow; from a mapping, both would stay in memory.
            loaded = (source.read(name, rows),)
        runs = [ctx.backend.to_device(run) for run in loaded]
        blocks = runs[0] if len(runs) == 1 else ctx.backend.concat(runs)
        return ctx.backend.widen(blocks, self.tensor.dtype)

    def cost(self, sizes: Sizes) -> Cost:
        return Cost(read=self.tensor.nbytes)

    def detail(self) -> str:
        where = f" where {describe_tests(self.tests)}" if self.tests else ""
        return f"{self.tensor.name}: {self.tensor}{where}"

    @property
    def is_layout(self) -> bool:
        return True


def _no_blocks(tensor: TensorSchema) -> HostArray:
    """What a tensor with an extent of 0 consists of."""
    return np.zeros((0, *tensor.block_numbers), storage_dtype(tensor.dtype))
