"""Launches of the stand-in: compiled by NVRTC, checked against what was compiled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

SOURCE = """
extern "C" __global__ void scale(float* x, long long n, float a) {
  long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
  if (i < n) x[i] *= a;
}
"""
DYNAMIC = """
extern "C" __global__ void uses_shared(float* x) {
  extern __shared__ float scratch[];
  scratch[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = scratch[blockDim.x - 1 - threadIdx.x];
}
"""


class Scale:
    """Runs the kernel of this file, and remembers how it was launched."""

    def __init__(self) -> None:
        self.launches: list[tuple[Any, ...]] = []

    def run(
        self, ptx: str, name: str, grid: Any, block: Any, args: Sequence[Any], shared: int
    ) -> None:
        self.launches.append((name, grid, block, shared))
        if name == "scale":
            x, n, a = args
            x.view(np.float32)[: int(n)] *= a


@pytest.fixture
def engine() -> Scale:
    return Scale()


@pytest.fixture
def cp(engine: Scale) -> Iterator[Any]:
    pytest.importorskip("cupy")
    from tests.cuda.standin.install import standin

    with standin(engine) as module:
        yield module


@pytest.fixture
def scale(cp: Any) -> Any:
    from tests.cuda.standin.real import has_nvrtc

    if not has_nvrtc():
        pytest.skip("NVRTC is not installed")
    return cp.RawModule(code=SOURCE).get_function("scale")


def host(*shape: int) -> Any:
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


def test_launch(cp: Any, scale: Any, engine: Scale) -> None:
    x = cp.asarray(host(10))
    scale((1,), (32,), (x[2:], np.int64(8), np.float32(3)))
    want = host(10)
    want[2:] *= np.float32(3)
    assert np.array_equal(x.get(), want)
    assert engine.launches == [("scale", (1, 1, 1), (32, 1, 1), 0)]


ONE, N = np.float32(1), np.int64(3)


@pytest.mark.parametrize(
    "args",
    [
        lambda x: (np.zeros(3, np.float32), N, ONE),
        lambda x: (x, 3, 1.0),
        lambda x: (x, N, 1),
        lambda x: (x, np.int32(3), ONE),
        lambda x: (x, N),
        lambda x: (x, N, x),
        lambda x: (np.float64(3), N, ONE),
        lambda x: (x, None, ONE),
    ],
    ids=["host", "python_float", "python_int", "int32", "missing", "array", "number", "none"],
)
def test_arguments_that_the_kernel_would_misread(cp: Any, scale: Any, args: Any) -> None:
    with pytest.raises(TypeError):
        scale((1,), (32,), args(cp.zeros(3, np.float32)))


def test_python_int_is_64_bits(cp: Any, scale: Any) -> None:
    x = cp.asarray(host(3))
    scale((1,), (32,), (x, 3, np.float32(2)))
    assert np.array_equal(x.get(), 2 * host(3))


@pytest.mark.parametrize(
    ("grid", "block"),
    [((0,), (32,)), ((2**31,), (32,)), ((1, 65536), (32,)), ((1,), (1025,)), ((1,), (64, 32))],
)
def test_grids_that_a_gpu_refuses(cp: Any, scale: Any, grid: Any, block: Any) -> None:
    with pytest.raises(RuntimeError, match="INVALID_VALUE: scale"):
        scale(grid, block, (cp.zeros(3, np.float32), N, ONE))


def test_grid_must_be_a_tuple(cp: Any, scale: Any) -> None:
    with pytest.raises(TypeError, match="tuple"):
        scale(1, 32, (cp.zeros(3, np.float32), N, ONE))


def test_dynamic_shared_memory(cp: Any, scale: Any, engine: Scale) -> None:
    function = cp.RawModule(code=DYNAMIC).get_function("uses_shared")
    x = cp.zeros(32, np.float32)
    with pytest.raises(RuntimeError, match="max_dynamic_shared_size_bytes"):
        function((1,), (32,), (x,), shared_mem=49 << 10)
    function.max_dynamic_shared_size_bytes = 64 << 10
    function((1,), (32,), (x,), shared_mem=49 << 10)
    assert engine.launches[-1][-1] == 49 << 10
    with pytest.raises(RuntimeError, match="INVALID_VALUE"):
        function.max_dynamic_shared_size_bytes = 1 << 20


def test_source_that_does_not_compile(cp: Any, scale: Any) -> None:
    with pytest.raises(cp.cuda.compiler.CompileException, match="nowhere"):
        cp.RawModule(code='extern "C" __global__ void f() { nowhere(); }').get_function("f")


def test_function_that_the_source_has_not(cp: Any, scale: Any) -> None:
    with pytest.raises(RuntimeError, match="NOT_FOUND"):
        cp.RawModule(code=SOURCE).get_function("scales")


def test_options_must_be_a_tuple(cp: Any) -> None:
    with pytest.raises(TypeError):
        cp.RawModule(code=SOURCE, options=["-std=c++17"])


def test_a_wrong_name_cannot_be_assigned_to(scale: Any) -> None:
    with pytest.raises(AttributeError):
        scale.max_dynamic_shared_size = 1 << 16
