"""The CUDA backend over the stand-in: production code, launched as on a device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MEMORY_NBYTES = 1 << 30


@contextmanager
def emulated(precision: str = "float32") -> Iterator[Any]:
    """A backend whose kernels run as PTX on the CPU, and whose cuBLAS is NumPy."""
    from tests.cuda.standin.install import standin

    with standin(device_nbytes=2 * MEMORY_NBYTES):
        from gpudb.backend.cuda.backend import CudaBackend

        yield CudaBackend(MEMORY_NBYTES, precision)
