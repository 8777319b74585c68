"""CuPy arrays, cuBLAS products and our own kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cupy as cp
import numpy as np
import nvtx

from gpudb.backend.base import Array, Repeats
from gpudb.backend.cuda.device import CudaDevice
from gpudb.backend.cuda.gemm import matmul
from gpudb.backend.cuda.graph import Recorder
from gpudb.backend.cuda.key_join import equi_join
from gpudb.backend.cuda.memory import POOL, Uploads
from gpudb.backend.cuda.sequences import Sequences
from gpudb.backend.plain_products import PlainProducts
from gpudb.errors import DeviceError
from gpudb.kernels import Kernel
from gpudb.kernels.cast import cast
from gpudb.kernels.map_elements import map_elements
from gpudb.kernels.take_or_zero import take_or_zero
from gpudb.kernels.zip_elements import zip_elements
from gpudb.types import HostArray, storage_dtype, widen

STORED_AS = {"float16": "float16", "bfloat16": "bfloat16"}
"""Precision -> logical dtype of what is computed with; the other precisions keep float32."""


class CudaBackend(PlainProducts):
    """One NVIDIA GPU.

    Parameters
    ----------
    memory_limit
        Bytes that its memory pool may take; None for all there is.
    precision
        ``float32``; ``tf32`` rounds the operands of float32 products to 11 bits; ``float16`` and
        ``bfloat16`` keep floating-point arrays in that type, add products up in float32 and round
        once.
    """

    name = "cuda"
    computes = True

    def __init__(self, memory_limit: int | None = None, precision: str = "float32") -> None:
        self.precision = precision
        self._memory_nbytes = POOL.open(memory_limit)
        self._uploads = Uploads()
        self._device = CudaDevice()
        self._recorder = Recorder()

    def to_device(self, x: HostArray) -> Array:
        return self._uploads.copy(x)

    def upload(self, inputs: Mapping[str, HostArray], offsets: str) -> Mapping[str, Array]:
        return Sequences.of({name: self.to_device(x) for name, x in inputs.items()}, offsets)

    def to_host(self, x: Array) -> HostArray:
        host = cp.asnumpy(x)
        return widen(host, "bfloat16") if host.dtype == np.uint16 else host

    def widen(self, x: Array, dtype: str) -> Array:
        if storage_dtype(dtype).kind not in "fu" or dtype == "float64":
            return x
        wanted = STORED_AS.get(self.precision, "float32")
        return x if dtype == wanted else self.call(cast, x, wanted)

    def concat(self, parts: Sequence[Array]) -> Array:
        return cp.concatenate(parts)

    def take(self, x: Array, rows: HostArray) -> Array:
        return self.call(take_or_zero, x, rows)

    def matmul(self, a: Array, b: Array, transpose_b: bool = False) -> Array:
        return matmul(a, b, transpose_b, tf32=self.precision == "tf32")

    def map(self, fn: str, x: Array) -> Array:
        return self.call(map_elements, x, fn)

    def zip(self, fn: str, x: Array, y: Array) -> Array:
        return self.call(zip_elements, x, y, fn)

    def equi_join(self, left: HostArray, right: HostArray) -> tuple[HostArray, HostArray]:
        return equi_join(left, right)

    def call(self, kernel: Kernel, *args: Any) -> Array:
        if kernel.launch is None:
            raise DeviceError(f"kernel {kernel.name} cannot run on a GPU yet")
        with nvtx.annotate(kernel.name, domain="gpudb"):
            return kernel.launch(self._device, *args)

    def record(
        self, run: Callable[[Mapping[str, Array]], Array], inputs: Mapping[str, Array]
    ) -> Callable[[Mapping[str, HostArray]], Array] | None:
        return self._recorder.record(run, inputs)

    def repeats(self, offsets: str) -> Repeats | None:
        return None

    def synchronize(self) -> None:
        cp.cuda.get_current_stream().synchronize()

    def memory_nbytes(self) -> int:
        return self._memory_nbytes
