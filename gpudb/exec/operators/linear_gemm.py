"""One GEMM with bias and activation as its epilogue."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.kernels.bias_activation import bias_activation
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LinearGemm(PhysicalOp):
    """``(1, n, in)``, ``(1, out, in)``, ``(1, out)`` -> ``(1, n, out)``."""

    activation: str | None

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        x, weight, bias = inputs
        product = ctx.backend.matmul(x[0], weight[0], transpose_b=True)
        return ctx.backend.call(bias_activation, product, bias[0], self.activation)[None]

    def cost(self, sizes: Sizes) -> Cost:
        x, out = self.children[0].out.bind(sizes), self.out.bind(sizes)
        elements = prod(out.numbers)
        return Cost(
            flops=2 * elements * x.numbers[1] + elements,
            read=self.input_nbytes(sizes),
            written=out.nbytes,
        )

    def detail(self) -> str:
        return f"bias, {self.activation}" if self.activation else "bias"
