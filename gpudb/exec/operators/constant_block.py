"""Numbers that the plan itself holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, Launch, PhysicalOp
from gpudb.types import Sizes, describe_numbers, storage_dtype


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ConstantBlock(PhysicalOp):
    """One block, brought to the device when the plan is prepared."""

    values: tuple[float, ...]

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        dtype = self.out.dtype
        block = np.array(self.values, storage_dtype(dtype)).reshape(1, *self.out.block_numbers)
        return ctx.backend.widen(ctx.backend.to_device(block), dtype)

    def cost(self, sizes: Sizes) -> Cost:
        return Cost()

    def launches(self, sizes: Sizes) -> tuple[Launch, ...]:
        return ()

    def detail(self) -> str:
        return f"{self.out.name}: {describe_numbers(self.values)}"

    @property
    def is_layout(self) -> bool:
        return True
