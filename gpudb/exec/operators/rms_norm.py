"""Root-mean-square norm of each row."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.kernels.rms_norm import rms_norm
from gpudb.types import Sizes

FLOPS_PER_ELEMENT = 4
"""Square and sum 2, division 1, scale 1."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RmsNormRows(PhysicalOp):
    """x ``(1, n, w)``, gamma ``(1, w)`` -> ``(1, n, w)``."""

    eps: float

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        x, gamma = (i[0] for i in inputs)
        return ctx.backend.call(rms_norm, x, gamma, self.eps)[None]

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        flops = FLOPS_PER_ELEMENT * prod(out.numbers)
        return Cost(flops, self.input_nbytes(sizes), out.nbytes)
