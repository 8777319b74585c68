"""Read a relation that was handed in for this run."""

from __future__ import annotations

from dataclasses import dataclass

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, Launch, PhysicalOp
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ReadInput(PhysicalOp):
    """One block, already on the device; floating-point numbers as the device computes with them."""

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        x = ctx.inputs[self.out.name]
        return (ctx.backend.widen(x, self.out.dtype) if "float" in self.out.dtype else x)[None]

    def cost(self, sizes: Sizes) -> Cost:
        return Cost()

    def launches(self, sizes: Sizes) -> tuple[Launch, ...]:
        return ()

    def detail(self) -> str:
        return self.out.name
