"""The host's own parts: conversions, shuffles, clocks, and each thing that it reports."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cuda.host import KernelFault, Memory, build, run
from tests.cuda.host.engine import SCHEDULES
from tests.cuda.host.text import with_common
from tests.cuda.host_device import HostDevice


def launch(
    body: str, *args: Any, parameters: str = "int* out", blocks: int = 1, threads: int = 32
) -> None:
    text = (
        f'extern "C" __global__ void f({parameters}) {{\n  const int i = threadIdx.x;\n{body}\n}}\n'
    )
    run(with_common("f", text), blocks, threads, args)


def ints(n: int = 64) -> Any:
    return np.zeros(n, np.int32)


def test_half_is_converted_as_numpy_does() -> None:
    codes = np.arange(1 << 16, dtype=np.uint16)
    halves, wide = codes.view(np.float16), np.zeros(1 << 16, np.float32)
    body = "  const int at = blockIdx.x * 1024 + i; out[at] = __half2float(x[at]);"
    launch(body, halves, wide, parameters="const __half* x, float* out", blocks=64, threads=1024)
    np.testing.assert_array_equal(wide, halves.astype(np.float32))


def test_floats_are_rounded_to_half_as_numpy_does() -> None:
    # Every half, what lies in the middle of two, and a little to both sides of it.
    halves = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float32)
    middles = (halves[1:] + halves[:-1]) / 2
    beside = [np.nextafter(middles, np.float32(s)) for s in (-1e9, 1e9)]
    x = np.concatenate([halves, middles, *beside, [65519.9, 65520, 1e9, np.inf, np.nan]])
    x = np.concatenate([x, -x]).astype(np.float32)
    narrow = np.zeros(x.size, np.float16)
    body = """  for (index_t at = i; at < n; at += blockDim.x) out[at] = __float2half_rn(x[at]);"""
    launch(body, x, narrow, x.size, parameters="const float* x, __half* out, index_t n")
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(narrow, x.astype(np.float16))


def test_bfloat16_rounds_to_even() -> None:
    x = np.array([1.0, 1.00390625, 1.01171875, -1.00390625, np.inf, np.nan, 3.4e38], np.float32)
    narrow, wide = np.zeros(7, np.uint16), np.zeros(7, np.float32)
    body = (
        """  if (i < 7) { out[i] = __float2bfloat16(x[i]); wide[i] = __bfloat162float(out[i]); }"""
    )
    launch(body, x, narrow, wide, parameters="const float* x, __nv_bfloat16* out, float* wide")
    want = [1.0, 1.0, 1.015625, -1.0, np.inf, np.nan, np.inf]
    np.testing.assert_array_equal(wide, np.array(want, np.float32))


def test_denormals_are_zeros_only_while_a_kernel_runs() -> None:
    x, out = np.full(2, 1e-40, np.float32), np.ones(2, np.float32)
    body = "  if (i == 0) { out[0] = x[0] * 1e10f; out[1] = logf(x[1]); }"
    launch(body, x, out, parameters="const float* x, float* out")
    np.testing.assert_array_equal(out, [0, -np.inf])
    assert x[0] * np.float32(1e10) > 0


@pytest.mark.parametrize(
    ("call", "want"),
    [
        ("__shfl_sync(~0u, i, 5)", np.full(32, 5)),
        ("__shfl_sync(~0u, i, 9, 8)", np.arange(32) // 8 * 8 + 1),
        ("__shfl_xor_sync(~0u, i, 3)", np.arange(32) ^ 3),
        ("__shfl_down_sync(~0u, i, 4)", np.arange(32) + 4 * (np.arange(32) < 28)),
        ("__shfl_up_sync(~0u, i, 1, 16)", np.arange(32) - (np.arange(32) % 16 > 0)),
        ("int(__ballot_sync(~0u, i & 1))", np.full(32, 0xAAAAAAAA - (1 << 32))),
        ("__any_sync(~0u, i == 7)", np.ones(32)),
        ("__all_sync(~0u, i < 31)", np.zeros(32)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_lanes_exchange(call: str, want: Any, schedule: str) -> None:
    out = ints(32)
    text = (
        f'extern "C" __global__ void f(int* out) {{ const int i = threadIdx.x; out[i] = {call}; }}'
    )
    run(with_common("f", text), 1, 32, (out,), schedule=schedule)
    np.testing.assert_array_equal(out, want)


def test_two_masks_of_a_warp_are_independent() -> None:
    out = ints(32)
    launch("  const unsigned half = i < 16 ? 0xffffu : ~0xffffu;\n"
           "  out[i] = __shfl_xor_sync(half, i, 8);", out)  # fmt: skip
    np.testing.assert_array_equal(out, np.arange(32) ^ 8)


def test_atomics_of_all_threads_count() -> None:
    out = ints(3)
    out[1] = 1000
    launch("  atomicAdd(out, 1); atomicMin(out + 1, i); atomicMax(out + 2, i);", out,
           blocks=3, threads=64)  # fmt: skip
    np.testing.assert_array_equal(out, [192, 0, 63])


FAULTY = [
    ("lanes", "  if (i < 16) out[i] = __shfl_down_sync(0xffffu, i, 8);"),  # lane 16: no part
    ("lanes", "  out[i] = __shfl_xor_sync(0xffffu, i, 1);"),  # not in its own mask
    ("lanes", "  out[i] = i & 1 ? __shfl_xor_sync(~0u, i, 2) : __shfl_xor_sync(~0u, i, 4);"),
    ("lanes", "  if (i == 3) return;\n  __syncwarp();"),
    ("barrier", "  if (i < 40) __syncthreads();\n  else { out[i] = 1; __syncthreads(); }"),
    ("barrier", "  if (i == 3) return;\n  __syncthreads();"),
    ("deadlock", "  if (i == 3) __syncwarp();\n  else __syncthreads();"),
    ("unwritten", "  CU_SHARED(int, s, [64]);\n  if (i != 5) s[i] = i;\n  out[i] = s[i];"),
    ("bounds", "  CU_SHARED(int, s, [13000]);\n  s[i] = i;\n  out[i] = s[i];"),  # over 48 KiB
    ("bounds", "  out[i - 1] = i;"),
    ("bounds", "  int s[4]; s[0] = i; out[i] = s[i & 7];"),
    ("overflow", "  out[i] = 7 / (i - 9);"),
    ("overflow", "  out[i] = 1 << (i + 1);"),
    ("overflow", "  out[i] = int(1e9f * i);"),
    ("overflow", "  out[i] = -2147483647 - i;"),
    ("race", "  out[i / 2] = i;"),
    ("race", "  if (i < 2) { if (i) atomicAdd(out, 1); else out[0] = 1; }"),
    ("race", "  if (i < 2) { if (i) out[1] = out[0]; else atomicAdd(out, 1); }"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "body"), FAULTY, ids=[f"{k}{n}" for n, (k, _) in enumerate(FAULTY)]
)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_what_is_reported(kind: str, body: str, schedule: str) -> None:
    text = f'extern "C" __global__ void f(int* out) {{\n  const int i = threadIdx.x;\n{body}\n}}\n'
    with pytest.raises(KernelFault) as caught:
        run(with_common("f", text), 1, 64, (ints(),), schedule=schedule)
    # A deadlock may first be seen as one of its halves.
    assert caught.value.kind == kind or (kind == "deadlock" and caught.value.kind == "lanes")


WARP = """  CU_SHARED(int, s, [64]);
  for (int k = 0; k < 3; ++k) {{
    s[i] = i;
    {first}
    out[i] = s[i ^ {other}];
    {second}
  }}"""
SYNC, HALVES = "__syncwarp();", "__syncwarp(i % 32 < 16 ? 0xffffu : ~0xffffu);"


@pytest.mark.parametrize(("first", "second", "other"), [(SYNC, SYNC, 17), (HALVES, HALVES, 1)])
def test_syncwarp_orders_the_lanes_that_it_names(first: str, second: str, other: int) -> None:
    out = ints()
    launch(WARP.format(first=first, second=second, other=other), out, threads=64)
    np.testing.assert_array_equal(out, np.arange(64) ^ other)


@pytest.mark.parametrize(
    ("first", "second", "other"),
    [
        (SYNC, "", 1),
        (SYNC, SYNC, 32),  # another warp
        (HALVES, HALVES, 16),  # the other half
        (SYNC, "__shfl_xor_sync(~0u, i, 1);", 1),  # orders no memory
    ],
)
def test_a_warp_is_ordered_by_syncwarp_only(first: str, second: str, other: int) -> None:
    with pytest.raises(KernelFault, match=r"race|unwritten"):
        launch(WARP.format(first=first, second=second, other=other), ints(), threads=64)


def test_order_is_passed_on_from_lane_to_lane() -> None:
    body = """  if (i == 0) out[0] = 7;
  if (i < 2) __syncwarp(3);
  if (i == 1 || i == 2) __syncwarp(6);
  if (i == 2) out[1] = out[0];"""
    out = ints()
    launch(body, out)
    assert out[1] == 7


def test_a_loop_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.cuda.host.engine.MAX_ACCESSES", 1000)
    with pytest.raises(KernelFault, match="endless"):
        launch("  while (out[i] == 0) out[i + 32] = 1;", ints())


def test_a_fault_says_where() -> None:
    with pytest.raises(KernelFault) as caught:
        launch("  const int b = blockIdx.x;\n  if (b == 2) out[64 * i] = b;", ints(), blocks=4)
    fault = caught.value
    assert (fault.kernel, fault.kind, fault.block, fault.thread) == ("f", "bounds", 2, 1)
    assert fault.line == "if (b == 2) out[64 * i] = b;"
    assert "store of 4 bytes, 0 bytes behind the end of the memory of out" in str(fault)


def test_a_view_may_touch_the_memory_of_its_owner() -> None:
    owner = ints(64)
    launch("  out[i - 16] = i;", owner[16:32])
    np.testing.assert_array_equal(owner[:32], np.arange(32))


def test_what_a_kernel_wrote_may_be_read_by_the_next() -> None:
    memory = Memory(ints(32), np.zeros(32, np.int32))
    with pytest.raises(KernelFault, match="unwritten"):
        launch("  out[i] += 1;", memory)
    launch("  out[i] = 1;", memory)
    launch("  out[i] += 1;", memory)
    np.testing.assert_array_equal(memory.array, 2)


def test_text_that_is_no_cpp() -> None:
    with pytest.raises(build.CompileError, match="nonsense"):
        launch("  out[i] = nonsense;", ints())


def test_a_result_that_is_not_all_written_cannot_be_read() -> None:
    array = HostDevice().empty((2, 3), "float32")
    with pytest.raises(AssertionError, match="24 bytes of a result were never written"):
        array.get()
    np.testing.assert_array_equal(HostDevice(offset=1).zeros((2, 3), "float16").get(), 0)


def test_arrays_on_the_device_are_not_numpy_arrays() -> None:
    array = HostDevice().asarray(np.arange(6.0).reshape(2, 3))
    for wrong in (np.asarray, np.exp, list, bool, lambda x: x + np.ones(3), lambda x: x[[0, 1]]):
        with pytest.raises(TypeError):
            wrong(array)
    np.testing.assert_array_equal(array[1:, ::2].transpose().contiguous().get(), [[3.0], [5.0]])
