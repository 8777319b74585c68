"""Bias, residual and layer-norm in one pass over each row."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.exec.operators.layer_norm import FLOPS_PER_ELEMENT
from gpudb.kernels.residual_layer_norm import residual_layer_norm
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ResidualNormRows(PhysicalOp):
    """x, residual ``(1, n, w)``, gamma, beta and perhaps bias ``(1, w)`` -> ``(1, n, w)``."""

    eps: float

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        x, residual, gamma, beta, *rest = (i[0] for i in inputs)
        bias = rest[0] if rest else None
        args = (x, bias, residual, gamma, beta, self.eps)
        return ctx.backend.call(residual_layer_norm, *args)[None]

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        return Cost(
            flops=(FLOPS_PER_ELEMENT + 2) * prod(out.numbers),
            read=self.input_nbytes(sizes),
            written=out.nbytes,
        )

    def detail(self) -> str:
        return "bias, residual" if len(self.children) == 5 else "residual"
