"""Faults of kernels that the emulator must report: each is planted once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cuda.ptx import PtxError, machine
from tests.cuda.snippets import launch

REVERSED = """extern "C" __global__ void f(const float* x, float* out) {{
  __shared__ float s[64];
  for (int k = 0; k < 2; ++k) {{
    s[threadIdx.x] = x[threadIdx.x + k];
    {before}
    out[threadIdx.x] = s[63 - threadIdx.x];
    {after}
  }}
}}"""


def reversed_rows(before: str = "__syncthreads();", after: str = "__syncthreads();") -> str:
    return REVERSED.format(before=before, after=after)


def two(nbytes: int = 65 * 4) -> tuple[Any, Any]:
    return np.arange(nbytes // 4, dtype="f4"), np.zeros(64, "f4")


def test_the_kernel_without_faults_runs() -> None:
    x, out = two()
    launch(reversed_rows(), (x, out), 3, 64)
    np.testing.assert_array_equal(out, x[:0:-1])


def test_read_before_the_writer_is_done() -> None:
    with pytest.raises(PtxError, match=r"^f: block 0, thread \d+: data race .* in `ld\.shared"):
        launch(reversed_rows(before=""), two(), 1, 64)


def test_overwritten_before_the_reader_is_done() -> None:
    with pytest.raises(PtxError, match=r"data race .* with thread \d+ in `st\.shared"):
        launch(reversed_rows(after=""), two(), 1, 64)


def test_two_threads_write_one_place() -> None:
    text = """extern "C" __global__ void f(float* out) {
      __shared__ volatile float s[32];
      s[threadIdx.x / 2] = threadIdx.x;
      __syncthreads();
      out[threadIdx.x] = s[threadIdx.x / 2]; }"""
    with pytest.raises(PtxError, match="data race"):
        launch(text, (np.zeros(32, "f4"),))


WARP = """extern "C" __global__ void f(float* out) {{
  __shared__ volatile float s[64];
  for (int k = 0; k < 3; ++k) {{
    s[threadIdx.x] = threadIdx.x;
    {first}
    out[threadIdx.x] = s[threadIdx.x ^ {reach}];
    {second}
  }}
}}"""
SYNC = "__syncwarp();"


def test_syncwarp_orders_a_warp() -> None:
    out = np.zeros(64, "f4")
    launch(WARP.format(first=SYNC, second=SYNC, reach=1), (out,), 1, 64)
    np.testing.assert_array_equal(out, np.arange(64) ^ 1)


@pytest.mark.parametrize(
    ("first", "second", "reach"),
    [
        ("", SYNC, 1),
        (SYNC, "", 1),
        (SYNC, SYNC, 32),  # another warp
        ("__shfl_xor_sync(0xffffffffu, threadIdx.x, 1);", SYNC, 1),  # no memory barrier
    ],
)
def test_a_warp_is_ordered_by_syncwarp_only(first: str, second: str, reach: int) -> None:
    text = WARP.format(first=first, second=second, reach=reach)
    with pytest.raises(PtxError, match=r"data race|before it was written"):
        launch(text, (np.zeros(64, "f4"),), 1, 64)


def test_barrier_in_divergent_code() -> None:
    text = """extern "C" __global__ void f(float* out) {
      if (threadIdx.x < 40) __syncthreads();
      out[threadIdx.x] = 1; }"""
    with pytest.raises(PtxError, match="barrier reached by 40 of 64 threads"):
        launch(text, (np.zeros(64, "f4"),), 2, 64)


def test_barriers_at_two_places() -> None:
    text = """extern "C" __global__ void f(float* out) {
      if (threadIdx.x < 40) { out[threadIdx.x] = 2; __syncthreads(); out[threadIdx.x] = 3; }
      else { __syncthreads(); out[threadIdx.x] = 1; } }"""
    with pytest.raises(PtxError, match="barrier reached by"):
        launch(text, (np.zeros(64, "f4"),), 1, 64)


@pytest.mark.parametrize(
    "operation", ["__shfl_xor_sync(0xffffffffu, v, 1)", "__ballot_sync(0xffffffffu, v)"]
)
def test_lanes_missing_in_divergent_code(operation: str) -> None:
    text = f"""extern "C" __global__ void f(int* out) {{
      int v = threadIdx.x;
      if (v % 4 != 3) v = {operation};
      out[threadIdx.x] = v; }}"""
    with pytest.raises(PtxError, match="lanes named in the mask are not here"):
        launch(text, (np.zeros(64, "i4"),), 1, 64)


def test_warp_that_is_not_whole() -> None:
    text = """extern "C" __global__ void f(int* out) {
      out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, threadIdx.x, 1); }"""
    with pytest.raises(PtxError, match="lanes named in the mask are not here"):
        launch(text, (np.zeros(40, "i4"),), 1, 40)


def test_lane_outside_its_mask() -> None:
    text = """extern "C" __global__ void f(int* out) {
      out[threadIdx.x] = __shfl_down_sync(0x0000ffffu, threadIdx.x, 1); }"""
    with pytest.raises(PtxError, match=r"thread 16: .*not in its own mask"):
        launch(text, (np.zeros(40, "i4"),), 1, 40)


def test_shuffle_from_a_lane_that_takes_no_part() -> None:
    text = """extern "C" __global__ void f(int* out) {
      if (threadIdx.x < 16)
        out[threadIdx.x] = __shfl_down_sync(0x0000ffffu, threadIdx.x, 8); }"""
    with pytest.raises(PtxError, match="shuffle from lane 16, which is not in the mask"):
        launch(text, (np.zeros(32, "i4"),))


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("i + 1", "thread 31: out-of-bounds access of 4 bytes, 4 bytes past the end of argument 0"),
        ("i - 1", "thread 0: out-of-bounds access of 4 bytes, 4 bytes before argument 0"),
        ("i < 9 ? i : 1 << 28", "thread 9: out-of-bounds"),
    ],
)
def test_out_of_bounds(index: str, message: str) -> None:
    text = f"""extern "C" __global__ void f(const float* x, float* out) {{
      const int i = threadIdx.x; out[i] = x[{index}]; }}"""
    with pytest.raises(PtxError, match=message):
        launch(text, (np.zeros(32, "f4"), np.zeros(32, "f4")))


def test_output_too_small() -> None:
    text = """extern "C" __global__ void f(float* out) {
      out[blockIdx.x * blockDim.x + threadIdx.x] = 1; }"""
    with pytest.raises(PtxError, match=r"^f: block 2, thread 6: out-of-bounds .* in `st\.global"):
        launch(text, (np.zeros(70, "f4"),), 3, 32)
    with pytest.raises(PtxError, match="out-of-bounds"):
        launch(text, (np.zeros(0, "f4"),))


def test_misaligned() -> None:
    text = """extern "C" __global__ void f(const float* x, float4* out) {
      out[threadIdx.x] = *reinterpret_cast<const float4*>(x + 1); }"""
    with pytest.raises(PtxError, match=r"thread 0: misaligned access of 16 bytes in `ld\.global"):
        launch(text, (np.zeros(32, "f4"), np.zeros(128, "f4")))


DYNAMIC = """extern "C" __global__ void f(float* out) {
  extern __shared__ float s[];
  __shared__ float fixed[32];
  fixed[threadIdx.x] = 2;
  s[threadIdx.x] = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = s[31 - threadIdx.x] * fixed[31 - threadIdx.x]; }"""


def test_too_little_dynamic_shared_memory() -> None:
    out = np.zeros(32, "f4")
    launch(DYNAMIC, (out,), shared=128)
    np.testing.assert_array_equal(out, 62 - 2 * np.arange(32))
    with pytest.raises(PtxError, match="thread 31: shared access of 4 bytes at byte 252 of 252"):
        launch(DYNAMIC, (out,), shared=124)


def test_shared_memory_read_before_it_is_written() -> None:
    text = """extern "C" __global__ void f(float* out) {
      __shared__ float s[64];
      if (threadIdx.x != 5) s[threadIdx.x] = 1;
      __syncthreads();
      out[threadIdx.x] = s[threadIdx.x]; }"""
    with pytest.raises(PtxError, match="thread 5: shared memory read before it was written"):
        launch(text, (np.zeros(32, "f4"),))


def test_whole_number_divided_by_zero() -> None:
    text = """extern "C" __global__ void f(int* x) {
      x[threadIdx.x] = 1000 / x[threadIdx.x]; }"""
    x = np.arange(32, dtype="i4") - 7
    with pytest.raises(PtxError, match="thread 7: division by zero"):
        launch(text, (x,))


def test_a_loop_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MAX_STEPS", 1000)
    text = """extern "C" __global__ void f(volatile int* x) { while (x[0] == 0) {} }"""
    with pytest.raises(PtxError, match="a loop does not end"):
        launch(text, (np.zeros(1, "i4"),))
