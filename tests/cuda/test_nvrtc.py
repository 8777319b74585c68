"""NVRTC through ctypes, and that it is asked what CuPy asks."""

from __future__ import annotations

import inspect
from importlib.util import find_spec

import pytest

from tests.cuda import nvrtc

AXPY = """extern "C" __global__ void axpy(const float* x, float* y, float a, int n) {
  __shared__ float s[64];
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  if (threadIdx.x < n) y[threadIdx.x] += a * s[63 - threadIdx.x];
}"""


@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
def test_every_architecture_compiles(architecture: int) -> None:
    assert f".target sm_{architecture}" in nvrtc.ptx(AXPY, architecture)
    assert nvrtc.cubin(AXPY, architecture).startswith(b"\x7fELF")


def test_denormals_are_flushed_as_in_cupy() -> None:
    assert ".ftz.f32" in nvrtc.ptx(AXPY)


def test_resources_are_read_from_the_report() -> None:
    found = nvrtc.resources(AXPY, 80)["axpy"]
    assert 0 < found.registers <= 16
    assert (found.shared, found.spilled, found.stack) == (256, 0, 0)


def test_spills_and_stacks_are_seen() -> None:
    text = """extern "C" __global__ void __launch_bounds__(1024, 2) f(float* x, int n) {
      float v[96];
      for (int i = 0; i < n; ++i)
    #pragma unroll
        for (int k = 0; k < 96; ++k) v[k] = x[k * n + i] * (i ? v[(k + 1) % 96] : 1.f);
    #pragma unroll
      for (int k = 0; k < 96; ++k) x[k] = v[k];
    }"""
    assert nvrtc.resources(text, 80)["f"].spilled > 0
    text = """extern "C" __global__ void f(int* x) {
      int v[64];
      for (int i = 0; i < 64; ++i) v[x[i] & 63] = i;
      x[0] = v[x[1] & 63];
    }"""
    assert nvrtc.resources(text, 80)["f"].stack == 256


def test_what_the_compiler_says_is_reported() -> None:
    with pytest.raises(nvrtc.CompileError, match=r"kernel\.cu\(2\): error: .*\"y\" is undefined"):
        nvrtc.ptx('extern "C" __global__ void f(float* x) {\n  x[0] = y; }')
    with pytest.raises(nvrtc.CompileError, match="arch"):
        nvrtc.cubin(AXPY, 12345)


def test_options_are_those_of_cupy() -> None:
    """Read from CuPy's source, where CuPy is installed: it does not say them without a GPU."""
    if find_spec("cupy") is None:
        pytest.skip("CuPy is not installed")
    from cupy.cuda import compiler

    from gpudb.backend.cuda.device import OPTIONS

    added = inspect.getsource(compiler)
    assert set(OPTIONS) <= set(nvrtc.OPTIONS)
    for option in set(nvrtc.OPTIONS) - set(OPTIONS):
        assert f"'{option}'" in added, option
