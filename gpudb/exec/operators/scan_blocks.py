"""Read a stored tensor from its pages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp, Source
from gpudb.kernels.dequantize import dequantize
from gpudb.keys import KeyTests, describe_tests, matching
from gpudb.types import HostArray, Sizes, TensorSchema, storage_dtype


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScanBlocks(PhysicalOp):
    """Blocks that lie together in a page are one view; half types are widened on the way.

    Rows of int8 are multiplied by their scales on the way.

    ``joined.rows`` is (number of each wanted block among those that are stored).
    """

    tensor: TensorSchema
    """As stored; ``out`` is as computed with."""
    tests: KeyTests
    """Blocks that fail these are not read."""
    scales: TensorSchema | None = None
    """What a step of each row stands for, a column; None for numbers as they are."""

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
        if self.scales is None:
            return ctx.backend.widen(blocks, self.tensor.dtype)
        scales = _scales(source, self.scales, joined.keys)
        lines = blocks.reshape(scales.size, blocks.shape[-1])
        numbers = ctx.backend.call(dequantize, lines, ctx.backend.to_device(scales))
        return ctx.backend.widen(numbers, "float32").reshape(blocks.shape)

    @property
    def stored_nbytes(self) -> int:
        """Bytes of all blocks in the pages."""
        return self.tensor.nbytes + (self.scales.nbytes if self.scales is not None else 0)

    def cost(self, sizes: Sizes) -> Cost:
        return Cost(read=self.stored_nbytes)

    def detail(self) -> str:
        where = f" where {describe_tests(self.tests)}" if self.tests else ""
        scales = f" * {self.scales.name}" if self.scales is not None else ""
        return f"{self.tensor.name}: {self.tensor}{scales}{where}"

    @property
    def is_layout(self) -> bool:
        return True


def _no_blocks(tensor: TensorSchema) -> HostArray:
    """What a tensor with an extent of 0 consists of."""
    return np.zeros((0, *tensor.block_numbers), storage_dtype(tensor.dtype))


def _scales(source: Source, scales: TensorSchema, keys: Keys) -> HostArray:
    """The scale of each row of the blocks with these keys: ``(n · rows of a block,)``."""
    # Blocks side by side share their rows' scales: the column is one block wide.
    return source.read(scales.name, keys[:, 0]).reshape(-1) if len(keys) else np.zeros(0, "f4")
