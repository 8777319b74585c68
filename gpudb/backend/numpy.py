"""The reference: short, obvious, always available. Other backends are compared with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import nvtx

from gpudb import types
from gpudb.backend.base import Array, Repeats
from gpudb.backend.plain_products import PlainProducts
from gpudb.kernels import Kernel
from gpudb.kernels.elementwise import MAPS, ZIPS
from gpudb.keys import equal_pairs
from gpudb.types import HostArray


class NumpyBackend(PlainProducts):
    """NumPy for everything; products are its BLAS.

    Overflow and invalid operations give inf and NaN without a warning, as on any other device.
    """

    name = "numpy"
    computes = True

    def to_device(self, x: HostArray) -> Array:
        return x

    def upload(self, inputs: Mapping[str, HostArray], offsets: str) -> Mapping[str, Array]:
        return inputs

    def to_host(self, x: Array) -> HostArray:
        return np.asarray(x)

    def widen(self, x: Array, dtype: str) -> Array:
        return types.widen(x, dtype)

    def concat(self, parts: Sequence[Array]) -> Array:
        return np.concatenate(parts)

    def take(self, x: Array, rows: HostArray) -> Array:
        return x[rows]

    def matmul(self, a: Array, b: Array, transpose_b: bool = False) -> Array:
        with np.errstate(all="ignore"):
            return np.matmul(a, b.swapaxes(-1, -2) if transpose_b else b)

    def map(self, fn: str, x: Array) -> Array:
        with np.errstate(all="ignore"):
            return MAPS[fn](x)

    def zip(self, fn: str, x: Array, y: Array) -> Array:
        with np.errstate(all="ignore"):
            return ZIPS[fn](x, y)

    def equi_join(self, left: HostArray, right: HostArray) -> tuple[HostArray, HostArray]:
        return equal_pairs(left, right)

    def call(self, kernel: Kernel, *args: Any) -> Array:
        with nvtx.annotate(kernel.name, domain="gpudb"), np.errstate(all="ignore"):
            return kernel.reference(*args)

    def record(
        self, run: Callable[[Mapping[str, Array]], Array], inputs: Mapping[str, Array]
    ) -> Callable[[Mapping[str, HostArray]], Array] | None:
        return None

    def repeats(self, offsets: str) -> Repeats | None:
        return None

    def synchronize(self) -> None:
        pass

    def memory_nbytes(self) -> int:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
