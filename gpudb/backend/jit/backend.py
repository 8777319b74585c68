"""NumPy arrays, our own products over packed weights, and compiled kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
import nvtx

from gpudb.backend.base import Array, Repeats
from gpudb.backend.jit.activations import ACTIVATIONS
from gpudb.backend.jit.allocation import keep_freed_memory, let_compiler_go
from gpudb.backend.jit.arena import Arenas
from gpudb.backend.jit.kernels.attention import attention
from gpudb.backend.jit.kernels.table import COMPILED
from gpudb.backend.jit.library import library
from gpudb.backend.jit.packing import PackedWeight, pack
from gpudb.backend.jit.products import linear
from gpudb.backend.jit.program import Programs
from gpudb.backend.jit.target import TARGET
from gpudb.backend.jit.team import together
from gpudb.backend.numpy import NumpyBackend
from gpudb.kernels import Kernel
from gpudb.kernels.bias_activation import bias_activation


class JitBackend(NumpyBackend):
    """The CPU, with code generated for it: encoders run compiled, everything else as NumPy does.

    Compiled are products by stored matrices and the kernels of
    :data:`gpudb.backend.jit.kernels.table.COMPILED`, over float32.

    Parameters
    ----------
    precision
        ``float32``; with ``bfloat16`` and ``int8`` both factors of products by stored matrices are
        rounded to that, and added up in float32 and int32. So are those of attention, to bfloat16
        where the processor multiplies it. Everything else stays float32.
    """

    name = "jit"

    def __init__(self, precision: str = "float32") -> None:
        self.packs: str = precision
        self._compiled: Mapping[str, Callable[..., Any]] = COMPILED
        if precision != "float32" and TARGET.bfloat16:
            self.attends = "bfloat16"
            self._compiled = {**COMPILED, "attention": partial(attention, halves=True)}
        self._arenas = Arenas()
        library()
        keep_freed_memory()
        let_compiler_go()

    def pack(self, weight: Array) -> Array:
        return pack(weight, self.packs)

    def repeats(self, offsets: str) -> Repeats | None:
        return Programs(offsets, self._arenas)

    def together(self, threads: int) -> AbstractContextManager[None]:
        return together(threads)

    def matmul(self, a: Array, b: Array, transpose_b: bool = False) -> Array:
        if isinstance(b, PackedWeight):
            return linear(a, b, None, ACTIVATIONS[None])
        return super().matmul(a, b, transpose_b)

    def linear(self, x: Array, weight: Array, bias: Array, activation: str | None) -> Array:
        if not isinstance(weight, PackedWeight):
            return super().linear(x, weight, bias, activation)
        if activation in ACTIVATIONS:
            return linear(x, weight, bias, ACTIVATIONS[activation])
        product = linear(x, weight, None, ACTIVATIONS[None])
        return self.call(bias_activation, product, bias, activation)

    def call(self, kernel: Kernel, *args: Any) -> Array:
        run = self._compiled.get(kernel.name)
        if run is None or not all(map(_readable, args)):
            return super().call(kernel, *args)
        with nvtx.annotate(kernel.name, domain="gpudb"):
            return run(*args)


def _readable(x: Any) -> bool:
    """Whether compiled functions can read an argument: elements lie side by side in each row."""
    if isinstance(x, list | tuple):
        return all(map(_readable, x))
    if not isinstance(x, np.ndarray) or x.dtype.kind in "iu":
        return True
    side_by_side = x.strides[-1] == x.itemsize or x.shape[-1] < 2
    return x.dtype == np.float32 and side_by_side and x.flags.aligned
