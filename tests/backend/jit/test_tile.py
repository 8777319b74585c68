"""A tile: every height, any inner extent, exact over whole numbers."""

from __future__ import annotations

import re
import tracemalloc
from typing import Any

import numpy as np
import pytest

from gpudb.backend.jit.compiled.arrays import at
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.compiled.products import tile_height
from gpudb.backend.jit.compiled.tile import COLUMNS, ROWS, multiply_narrow_tile, multiply_tile
from gpudb.backend.jit.packing import GROUPS, aligned, pack
from gpudb.backend.jit.target import PROCESSOR, TARGET, target_of
from gpudb.errors import DeviceError
from gpudb.types import HostArray

CANARY = -77
INNER = (1, 2, 3, 4, 5, 31)
ABLE = target_of(PROCESSOR)
BY_INSTRUCTION = [
    dtype
    for dtype, able in (("float32", True), ("bfloat16", ABLE.bfloat16), ("int8", ABLE.int8))
    if able
]
"""What this processor multiplies; tests may put something else in an instruction's place."""


@part
def _multiply(rows: int, x: Any, panel: Any, out: Any) -> None:
    left, to = (at(x, (0, 0)), x.strides[0]), (at(out, (1, 0)), out.strides[0])
    multiply_tile(rows, left, panel, panel.shape[0], to, None)


@part
def _multiply_add(rows: int, x: Any, panel: Any, out: Any, begin: Any) -> None:
    left, to = (at(x, (0, 0)), x.strides[0]), (at(out, (1, 0)), out.strides[0])
    multiply_tile(rows, left, panel, panel.shape[0], to, at(begin, (0,)))


@part
def _multiply_narrow(rows: int, x: Any, panel: Any, out: Any) -> None:
    left, to = (at(x, (0, 0)), x.strides[0]), (at(out, (1, 0)), out.strides[0])
    multiply_narrow_tile(rows, left, panel, panel.shape[0], to, None)


def _left(x: HostArray, dtype: str) -> HostArray:
    """Whole numbers as a tile reads them, filled to whole groups; rows lie further apart."""
    kinds = {"float32": np.float32, "bfloat16": np.uint16, "int8": np.uint8}
    rows, inner = x.shape
    out = np.zeros((rows, -(-inner // GROUPS[dtype]) * GROUPS[dtype] + 12), kinds[dtype])
    out[:, :inner] = x.astype(np.float32).view(np.uint32) >> 16 if dtype == "bfloat16" else x
    return out


@pytest.mark.parametrize("dtype", list(GROUPS))
def test_a_tile_is_a_product(dtype: str) -> None:
    if not {"bfloat16": TARGET.bfloat16, "int8": TARGET.int8}.get(dtype, True):
        pytest.skip(f"{TARGET.name} does not multiply {dtype}")
    random = np.random.default_rng(0)
    for inner in INNER:
        x = random.integers(0, 100, (ROWS, inner))
        w = random.integers(-127, 128, (COLUMNS, inner))
        w[:, 0] = 127  # a step of 1 in each column
        packed = pack(w.astype(np.float32), dtype)
        for rows in range(1, ROWS + 1):
            out = np.full((ROWS + 2, COLUMNS + 3), CANARY, packed_sums(dtype))
            # One column more would be touched if rows were written wider than a tile.
            _multiply(rows, _left(x, dtype), packed.panels[0], out)
            expected = np.full_like(out, CANARY)
            expected[1 : rows + 1, :COLUMNS] = (x @ w.T)[:rows]
            np.testing.assert_array_equal(out, expected, f"{rows} rows, inner {inner}")
            narrow = np.full_like(out, CANARY)
            _multiply_narrow(rows, _left(x, dtype), packed.panels[0], narrow)
            np.testing.assert_array_equal(narrow[:, LANES:], CANARY)
            np.testing.assert_array_equal(narrow[:, :LANES], expected[:, :LANES])
            begin = random.integers(-99, 100, COLUMNS).astype(out.dtype)
            _multiply_add(rows, _left(x, dtype), packed.panels[0], out, begin)
            expected[1 : rows + 1, :COLUMNS] += begin
            np.testing.assert_array_equal(out, expected, f"{rows} rows, begun with {begin}")


@pytest.mark.skipif(TARGET.lanes == 4, reason="reads FMA of x86 in assembly")
@pytest.mark.parametrize("vectors", [TARGET.vectors, 1])
@pytest.mark.parametrize("dtype", BY_INSTRUCTION)
def test_sums_stay_in_registers(dtype: str, vectors: int) -> None:
    panel = pack(np.zeros((COLUMNS, 2), np.float32), dtype).panels[0]
    caller: Any = _multiply_narrow if vectors == 1 else _multiply
    alone: Any = part(caller.py_func)
    alone(1, _left(np.zeros((1, 2)), dtype), panel, np.zeros((3, COLUMNS), packed_sums(dtype)))
    (assembly,) = alone.inspect_asm().values()
    label = re.search(r'^"?gpudb\.tile\.[\w.]+"?:$(.*?)^\s*\.size', assembly, re.M | re.S)
    assert label is not None
    sums = ROWS * vectors  # multiplied in a step of the highest tile
    loops = re.findall(r"^(\.LBB\w+):\n((?:\t.*\n)+?)\tj\w+\t\1$", label[1], re.M)
    assert max(len(re.findall("fmadd|vdpbf16|vpdpbusd", body)) for _, body in loops) >= sums
    for _, body in loops:
        assert "(%rsp" not in body, body


def packed_sums(dtype: str) -> Any:
    return np.int32 if dtype == "int8" else np.float32


@pytest.mark.parametrize("rows", [*range(4 * ROWS + 2), 999])
def test_tiles_are_about_equally_high(rows: int) -> None:
    height = tile_height(rows)
    assert 1 <= height <= ROWS
    tiles = -(-rows // height)
    assert tiles == -(-rows // ROWS)
    assert tiles * height - rows < max(1, tiles)


@pytest.mark.parametrize("shape", [(0, 4), (1, 1), (3, 5), (2, 7, 9)])
@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.uint16])
def test_aligned_arrays_begin_at_a_cache_line(shape: tuple[int, ...], dtype: Any) -> None:
    found = aligned(shape, np.dtype(dtype))
    assert (found.shape, found.dtype) == (shape, dtype)
    assert found.flags.c_contiguous
    assert found.flags.writeable
    assert found.ctypes.data % 64 == 0 or not found.size


@pytest.mark.parametrize("dtype", list(GROUPS))
@pytest.mark.parametrize("columns", [0, 1, COLUMNS - 1, COLUMNS, COLUMNS + 1])
@pytest.mark.parametrize("inner", [0, 1, 4, 7])
def test_packing_keeps_every_element_and_fills_with_zeros(
    columns: int, inner: int, dtype: str
) -> None:
    w = np.random.default_rng(1).integers(-127, 128, (columns, inner)).astype(np.float32)
    if inner:
        w[:, 0] = 127
    packed = pack(w, dtype)
    assert (packed.shape, packed.dtype, packed[0]) == ((columns, inner), dtype, packed)
    elements = packed.panels
    if dtype == "bfloat16":
        elements = (elements.astype(np.uint32) << 16).view(np.float32)
    group = GROUPS[dtype]
    panels, steps = elements.shape[:2]
    assert (panels, steps) == (-(-columns // COLUMNS), max(1, -(-inner // group)))
    back = elements.reshape(panels, steps, COLUMNS, group).transpose(0, 2, 1, 3)
    whole = np.zeros((panels * COLUMNS, steps * group))
    whole[:columns, :inner] = w
    np.testing.assert_array_equal(back.reshape(whole.shape), whole)
    if dtype == "int8":
        np.testing.assert_array_equal(packed.sums, whole.sum(axis=1))
        np.testing.assert_array_equal(packed.scales[:columns], np.full(columns, float(inner > 0)))
    parts = (packed.panels, packed.scales, packed.sums)
    assert packed.nbytes == sum(part.nbytes for part in parts)


def test_a_packed_weight_is_one_block() -> None:
    with pytest.raises(IndexError):
        pack(np.zeros((2, 2), np.float32), "float32")[1]


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_a_column_of_bytes_that_is_not_finite_is_marked(odd: float) -> None:
    w = np.ones((3, 5), np.float32)
    w[1, 2] = odd
    packed = pack(w, "int8")
    assert np.isnan(packed.scales[1])
    np.testing.assert_array_equal(packed.scales[[0, 2]], np.float32(1) / 127)


@pytest.mark.parametrize("most", [0.0, 1e-45, 2.7e-43, 1e-38, 1e-36, 3e38])
def test_a_column_of_bytes_is_within_half_a_step(most: float) -> None:
    w = np.array([[most, -most, most / 2]], np.float32)
    packed = pack(w, "int8")
    scale = float(packed.scales[0])
    elements = packed.panels[0, 0, :3].astype(np.float64)
    if w.max() / 127 < np.finfo(np.float32).tiny:
        assert scale == 0
        assert not elements.any()
    else:
        assert np.abs(elements * scale - w[0]).max() <= 0.501 * scale


def test_a_row_of_bytes_too_long_for_int32_is_refused() -> None:
    longest = (2**31 - 1) // (255 * 127)
    pack(np.zeros((1, longest), np.float32), "int8")
    with pytest.raises(DeviceError, match="66,311"):
        pack(np.zeros((1, longest + 1), np.float32), "int8")


@pytest.mark.parametrize("dtype", list(GROUPS))
def test_packing_holds_little_beside_its_result(dtype: str) -> None:
    w = np.random.default_rng(0).standard_normal((40 * COLUMNS + 1, 500)).astype(np.float32)
    pack(w[:1], dtype)
    tracemalloc.start()
    try:
        packed = pack(w, dtype)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A panel in float32, a few times.
    assert peak <= packed.nbytes + 8 * COLUMNS * 500 * 4
