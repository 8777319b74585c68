"""One GEMM with bias and activation as its epilogue."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, Launch, PhysicalOp
from gpudb.exec.operators.pack_weight import as_read
from gpudb.kernels.concat_columns import concat_columns
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LinearGemm(PhysicalOp):
    """``(1, n, in)``, ``(1, out, in)``, ``(1, out)`` -> ``(1, n, out)``."""

    activation: str | None

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        x, weight, bias = inputs
        return ctx.backend.linear(x[0], weight[0], bias[0], self.activation)[None]

    @property
    def panelled(self) -> tuple[int, ...]:
        return (1,)

    def run_panels(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        x, weight, bias = inputs
        backend = ctx.backend
        parts = []
        for start, rows in weight:
            added = bias[0][start : start + rows.shape[0]]
            read = as_read(backend, self.children[1], rows)
            parts.append(backend.linear(x[0], read, added, self.activation))
        return backend.call(concat_columns, parts)[None]

    def panel_scratch(self, sizes: Sizes) -> int:
        return self.out.bind(sizes).nbytes

    def cost(self, sizes: Sizes) -> Cost:
        x, out = self.children[0].out.bind(sizes), self.out.bind(sizes)
        elements = prod(out.numbers)
        return Cost(
            flops=2 * elements * x.numbers[1] + elements,
            read=self.input_nbytes(sizes),
            written=out.nbytes,
        )

    def launches(self, sizes: Sizes) -> tuple[Launch, ...]:
        x, weight, bias = (child.out.bind(sizes) for child in self.children)
        out = self.out.bind(sizes)
        rows, columns = out.numbers
        product = (rows, columns, x.numbers[1])
        read = x.nbytes + weight.nbytes
        return (
            Launch("product", 2 * prod(product), read, out.nbytes, product),
            # The epilogue is a kernel of its own: it reads the product and overwrites it.
            Launch(self.detail(), prod(out.numbers), out.nbytes + bias.nbytes, out.nbytes),
        )

    def detail(self) -> str:
        return f"bias, {self.activation}" if self.activation else "bias"
