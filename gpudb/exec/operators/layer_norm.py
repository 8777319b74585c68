"""Layer-norm of whole rows."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.kernels.layer_norm import layer_norm
from gpudb.types import Sizes

FLOPS_PER_ELEMENT = 7
"""Mean 1, difference 1, variance 2, division 1, scale 1, shift 1."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LayerNormRows(PhysicalOp):
    """``(1, n, w)``, ``(1, w)``, ``(1, w)`` -> ``(1, n, w)``."""

    eps: float

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        x, gamma, beta = inputs
        return ctx.backend.call(layer_norm, x[0], gamma[0], beta[0], self.eps)[None]

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        return Cost(
            flops=FLOPS_PER_ELEMENT * prod(out.numbers),
            read=self.input_nbytes(sizes),
            written=out.nbytes,
        )
