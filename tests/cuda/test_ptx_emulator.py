"""Programs in the PTX emulator: memory, warps, branches, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cuda.ptx import PtxError, parse, run
from tests.cuda.ptx_numbers import RNG
from tests.cuda.snippets import evaluate, launch


def test_loads_and_stores_of_every_width() -> None:
    x = RNG.integers(0, 256, 1024, "u1")
    for word in ("uchar4", "ushort2", "uint2", "uint4", "float4", "double2", "longlong2", "char"):
        out = np.zeros_like(x)
        text = f"""extern "C" __global__ void f(const {word}* x, {word}* out, int n) {{
          const int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) out[i] = x[i]; }}"""
        sizes = {"char": 1, "uchar4": 4, "ushort2": 4, "uint2": 8}
        n = len(x) // sizes.get(word, 16)
        traffic = launch(text, (x, out, n), -(-n // 64), 64)
        np.testing.assert_array_equal(out, x, err_msg=word)
        assert traffic.arrays[0].read_nbytes == traffic.arrays[1].written_nbytes == 1024
        assert traffic.arrays[0].read_sectors == traffic.arrays[1].written_sectors == 32


def test_traffic_of_strided_reads() -> None:
    x, out = np.zeros(1024, "f4"), np.zeros(32, "f4")
    text = """extern "C" __global__ void f(const float* x, float* out) {
      out[threadIdx.x] = x[threadIdx.x * 32]; }"""
    traffic = launch(text, (x, out))
    assert (traffic.arrays[0].read_nbytes, traffic.arrays[0].read_sectors) == (128, 32)
    assert (traffic.arrays[1].written_nbytes, traffic.arrays[1].written_sectors) == (128, 4)


def test_views_are_passed_where_they_start() -> None:
    whole_array = np.arange(64, dtype="f4")
    out = np.zeros(32, "f4")
    text = """extern "C" __global__ void f(const float* x, float* out) {
      out[threadIdx.x] = x[2 * threadIdx.x]; }"""
    launch(text, (whole_array[1::2], out))
    np.testing.assert_array_equal(out, whole_array[1::2])


def test_structs_local_arrays_constants_and_switches() -> None:
    text = """
    struct Extents { int n; double by; };
    __constant__ float table[4] = {1.5f, 2.5f, 3.5f, 4.5f};
    extern "C" __global__ void f(Extents e, const int* x, double* out) {
      const int i = threadIdx.x;
      float mine[8];
      for (int k = 0; k < 8; ++k) mine[k] = k * i;
      double v = mine[x[i] & 7] + table[x[i] & 3];
      switch (x[i] % 6) {
        case 0: v *= 2; break;
        case 1: v = sqrt(v); break;
        case 2: v = 1 / v; break;
        case 3: v -= i; break;
        case 4: v = floor(v); break;
        default: v = -v;
      }
      out[i] = i < e.n ? v * e.by : 0;
    }"""
    x = RNG.integers(0, 100, 64).astype("i4")
    out = np.zeros(64)
    extents = np.array([(50, 3.0)], np.dtype([("n", "i4"), ("by", "f8")], align=True)).tobytes()
    launch(text, (extents, x, out), threads=64)
    i = np.arange(64)
    v = (x & 7) * i + np.array([1.5, 2.5, 3.5, 4.5])[x & 3]
    case = x % 6
    want = np.select(
        [case == k for k in range(5)], [v * 2, np.sqrt(v), 1 / v, v - i, np.floor(v)], -v
    )
    np.testing.assert_array_equal(out, np.where(i < 50, want * 3, 0))


@pytest.mark.parametrize("operation", ["__shfl_xor_sync", "__shfl_down_sync", "__shfl_up_sync"])
@pytest.mark.parametrize("width", [8, 32])
def test_shuffles(operation: str, width: int) -> None:
    x = np.arange(64, dtype="i4")
    got = evaluate(f"{operation}(0xffffffffu, x, 3, {width})", [x], "i4")
    lane = x % width
    source = {"xor": lane ^ 3, "down": lane + 3, "up": lane - 3}[operation.split("_")[3]]
    source = np.where((source < 0) | (source >= width), lane, source)
    np.testing.assert_array_equal(got, x - lane + source)


def test_votes_and_matches() -> None:
    x = RNG.integers(0, 4, 64).astype("i4")
    rows = x.reshape(2, 32)
    ballot = [sum(1 << i for i, v in enumerate(row) if v == 1) for row in rows]
    got = evaluate("__ballot_sync(0xffffffffu, x == 1)", [x], "u4")
    np.testing.assert_array_equal(got, np.repeat(ballot, 32))
    for vote, want in (("__any_sync(~0u, x == 9)", 0), ("__all_sync(~0u, x < 4)", 1)):
        np.testing.assert_array_equal(evaluate(vote, [x], "i4"), np.full(64, want))
    got = evaluate("__match_any_sync(0xffffffffu, x)", [x], "u4")
    want = [sum(1 << i for i, v in enumerate(row) if v == own) for row in rows for own in row]
    assert got.tolist() == want
    got = evaluate("__reduce_add_sync(0xffffffffu, (unsigned)x)", [x], "u4")
    np.testing.assert_array_equal(got, np.repeat(rows.sum(1), 32))


def test_atomics_happen_one_after_the_other() -> None:
    text = """extern "C" __global__ void f(int* sums, unsigned* seen, float* total, int* most) {
      __shared__ int count;
      if (threadIdx.x == 0) count = 0;
      __syncthreads();
      const int mine = atomicAdd(&count, 1);
      atomicAdd(&sums[threadIdx.x % 3], 1);
      atomicMax(most, mine);
      atomicAdd(total, 0.5f);
      __syncthreads();
      seen[blockIdx.x * blockDim.x + mine] = atomicCAS(&seen[mine], 99u, 7u) + count;
    }"""
    sums, seen = np.zeros(3, "i4"), np.zeros(128, "u4")
    total, most = np.zeros(1, "f4"), np.zeros(1, "i4")
    launch(text, (sums, seen, total, most), 2, 64)
    assert sums.tolist() == [44, 42, 42]
    assert (total[0], most[0]) == (64.0, 63)
    assert (seen >= 64).all()


def test_divergent_loops_meet_again() -> None:
    x = RNG.integers(0, 40, 96).astype("i4")
    text = """extern "C" __global__ void f(const int* x, int* out) {
      const int i = blockIdx.x * blockDim.x + threadIdx.x;
      int sum = 0;
      for (int k = 0; k < x[i]; ++k) {
        if (k % 3 == 0) continue;
        for (int j = 0; j < k; ++j) if ((j ^ i) & 1) sum += j;
      }
      __syncwarp();
      out[i] = sum + __shfl_xor_sync(0xffffffffu, sum, 1);
    }"""
    out = np.zeros_like(x)
    launch(text, (x, out), 3, 32)
    sums = [
        sum(j for k in range(n) if k % 3 for j in range(k) if (j ^ i) & 1) for i, n in enumerate(x)
    ]
    assert out.tolist() == [s + sums[i ^ 1] for i, s in enumerate(sums)]


def test_an_unknown_instruction_is_named() -> None:
    text = """extern "C" __global__ void f(unsigned* x) {
      asm volatile("dp4a.u32.u32 %0, %1, %1, %1;" : "=r"(x[0]) : "r"(x[1])); }"""
    with pytest.raises(PtxError, match=r"dp4a\.u32\.u32"):
        launch(text, (np.zeros(2, "u4"),))


def test_a_call_that_is_not_inlined_is_named() -> None:
    text = """extern "C" __global__ void f(double* x) { x[threadIdx.x] = sin(x[threadIdx.x]); }"""
    with pytest.raises(PtxError, match=r"calls are not known: `call.*trig_reduction"):
        launch(text, (np.zeros(32),))


def test_arguments_are_counted_and_typed() -> None:
    text = 'extern "C" __global__ void f(float* x, int n) { if (n) x[0] = n; }'
    with pytest.raises(PtxError, match="takes 2 parameters, got 1"):
        launch(text, (np.zeros(1, "f4"),))
    with pytest.raises(PtxError, match="array for parameter 1"):
        launch(text, (np.zeros(1, "f4"), np.zeros(1, "f4")))


def test_ptx_that_is_no_ptx() -> None:
    with pytest.raises(PtxError, match="not closed"):
        parse(".visible .entry f(.param .u64 a) { ret;")
    assert parse(".version 9.0") == {}
    kernel = parse(".visible .entry f(.param .u64 a) { ret; }")["f"]
    assert run(kernel, (1,), (32,), (0,)).instructions == 32
