"""Products of devices that read weights as they are stored, with threads of their own."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from gpudb.backend.base import Array, Backend
from gpudb.kernels.bias_activation import bias_activation


class PlainProducts:
    """Nothing is packed; bias and function are a kernel of their own after the product."""

    packs: str | None = None
    attends: str | None = None

    def pack(self, weight: Array) -> Array:
        """The weight itself."""
        return weight

    def together(self, threads: int) -> AbstractContextManager[None]:
        """Nothing: BLAS has threads of its own, and so has a GPU."""
        return nullcontext()

    def linear(
        self: Backend, x: Array, weight: Array, bias: Array, activation: str | None
    ) -> Array:
        """A product, then :mod:`gpudb.kernels.bias_activation`."""
        product = self.matmul(x, weight, transpose_b=True)
        return self.call(bias_activation, product, bias, activation)
