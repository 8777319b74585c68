"""The backend's own device code, unmodified: the stand-in for CuPy, and PTX on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from gpudb.kernels.row_softmax import row_softmax

REVERSE = """
extern "C" __global__ void reverse(float* x) {
  extern __shared__ float scratch[];
  scratch[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = scratch[blockDim.x - 1 - threadIdx.x];
}
"""


@pytest.fixture
def cp() -> Iterator[Any]:
    pytest.importorskip("cupy")
    pytest.importorskip("tests.cuda.ptx")
    from tests.cuda.standin.install import standin
    from tests.cuda.standin.real import has_nvrtc

    if not has_nvrtc():
        pytest.skip("NVRTC is not installed")
    with standin() as module:
        yield module


@pytest.fixture
def device(cp: Any) -> Any:
    from gpudb.backend.cuda.device import CudaDevice

    return CudaDevice()


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_a_kernel_through_the_device(cp: Any, device: Any, dtype: str) -> None:
    x = np.random.default_rng(0).standard_normal((3, 40)).astype(dtype)
    got = row_softmax.launch(device, cp.asarray(x), 33).get()
    want = row_softmax.reference(x.astype(np.float64), 33)
    assert got.dtype == dtype
    assert np.allclose(got, want, atol=1e-3 if dtype == "float16" else 1e-6)


def test_a_kernel_in_a_graph(cp: Any, device: Any) -> None:
    x = cp.zeros((2, 8), np.float32)
    cp.cuda.Device().synchronize()
    stream = cp.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        out = row_softmax.launch(device, x, 8)
        graph = stream.end_capture()
    assert np.isnan(out.get()).all()
    for value in (1.0, 3.0):
        with stream:
            x[0, 0] = value
            graph.launch()
            want = row_softmax.reference(x.get().astype(np.float64), 8)
            assert np.allclose(out.get(), want, atol=1e-6)


def test_a_host_array_does_not_get_through(device: Any) -> None:
    with pytest.raises(TypeError, match=r"numpy\.ndarray"):
        row_softmax.launch(device, np.zeros((2, 8), np.float32), 8)


def test_dynamic_shared_memory_that_nobody_asked_for(cp: Any) -> None:
    reverse = cp.RawModule(code=REVERSE).get_function("reverse")
    x = cp.arange(32, dtype=np.float32)
    reverse((1,), (32,), (x,), shared_mem=128)
    assert np.array_equal(x.get(), np.arange(32)[::-1])
    with pytest.raises(RuntimeError, match=r"shared|outside|bounds"):
        reverse((1,), (32,), (x,))


def test_a_kernel_reads_only_what_it_was_given(cp: Any) -> None:
    """A view of a larger array ends where the view ends."""
    reverse = cp.RawModule(code=REVERSE).get_function("reverse")
    x = cp.arange(64, dtype=np.float32)
    reverse((1,), (32,), (x[32:],), shared_mem=128)
    with pytest.raises(RuntimeError):
        reverse((1,), (32,), (x[:16],), shared_mem=128)
