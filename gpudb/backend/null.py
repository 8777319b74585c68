"""Plans and shapes for real, numbers for free.

Every array is a read-only view of one zero, stretched to its shape: it takes no memory. So whole
queries, memory accounting included, run for devices far larger than the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gpudb.backend.base import Array, Repeats
from gpudb.backend.plain_products import PlainProducts
from gpudb.kernels import Kernel
from gpudb.keys import equal_pairs
from gpudb.types import HostArray

MEMORY_NBYTES = 80 << 30


class NullBackend(PlainProducts):
    """Shapes, no numbers."""

    name = "null"
    computes = False

    def to_device(self, x: HostArray) -> Array:
        # Row numbers and offsets decide shapes, so integers keep their values.
        return x if x.dtype.kind == "i" else ghost(x.shape, x.dtype)

    def upload(self, inputs: Mapping[str, HostArray], offsets: str) -> Mapping[str, Array]:
        return {name: self.to_device(x) for name, x in inputs.items()}

    def to_host(self, x: Array) -> HostArray:
        return np.asarray(x)

    def widen(self, x: Array, dtype: str) -> Array:
        return ghost(x.shape, np.float32) if dtype in ("float16", "bfloat16") else x

    def concat(self, parts: Sequence[Array]) -> Array:
        return ghost((sum(p.shape[0] for p in parts), *parts[0].shape[1:]), parts[0].dtype)

    def take(self, x: Array, rows: HostArray) -> Array:
        return ghost((len(rows), *x.shape[1:]), x.dtype)

    def matmul(self, a: Array, b: Array, transpose_b: bool = False) -> Array:
        outer = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        return ghost(
            (*outer, a.shape[-2], b.shape[-2 if transpose_b else -1]), np.result_type(a, b)
        )

    def map(self, fn: str, x: Array) -> Array:
        return ghost(x.shape, x.dtype)

    def zip(self, fn: str, x: Array, y: Array) -> Array:
        return ghost(np.broadcast_shapes(x.shape, y.shape), np.result_type(x, y))

    def equi_join(self, left: HostArray, right: HostArray) -> tuple[HostArray, HostArray]:
        return equal_pairs(left, right)

    def call(self, kernel: Kernel, *args: Any) -> Array:
        dtype = kernel.dtype(*args) if kernel.dtype else _first_array(args).dtype
        return ghost(kernel.shape(*args), dtype)

    def record(
        self, run: Callable[[Mapping[str, Array]], Array], inputs: Mapping[str, Array]
    ) -> Callable[[Mapping[str, HostArray]], Array] | None:
        return None

    def repeats(self, offsets: str) -> Repeats | None:
        return None

    def synchronize(self) -> None:
        pass

    def memory_nbytes(self) -> int:
        return MEMORY_NBYTES


def _first_array(args: Sequence[Any]) -> Array:
    flat = (b for a in args for b in (a if isinstance(a, list) else [a]))
    return next(a for a in flat if isinstance(a, np.ndarray))


def ghost(shape: tuple[int, ...], dtype: Any) -> Array:
    """An array of ``shape`` that takes the memory of one element."""
    return np.broadcast_to(np.zeros((), dtype), shape)
