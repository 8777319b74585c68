"""Numbers in fewer bits: bfloat16, bytes, and rows of a left factor."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.backend.jit.compiled.arrays import at
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.compiled.rounding import quantize_row, round_row
from gpudb.backend.jit.compiled.vectors import load, store_bfloat16, store_bytes
from gpudb.backend.jit.target import TARGET
from gpudb.types import HostArray
from tests.backend.jit.lanewise import DENORMAL, EDGES, LARGE, TINY

WIDTHS = (0, 1, 3, LANES - 1, LANES, LANES + 1, 3 * LANES + 5)


@part
def _bfloat16(x: Any, out: Any) -> None:
    for i in range(0, len(x), LANES):
        store_bfloat16(at(out, (1 + i,)), load(at(x, (i,))))


@part
def _bytes(x: Any, out: Any) -> None:
    for i in range(0, len(x), LANES):
        store_bytes(at(out, (1 + i,)), load(at(x, (i,))))


@part
def _round_row(x: Any, i: int, out: Any, r: int) -> None:
    round_row(x, i, out, r)


@part
def _quantize_row(x: Any, i: int, out: Any, r: int) -> Any:
    return quantize_row(x, i, out, r)


def _rounded(x: HostArray) -> HostArray:
    """Numbers as bits of bfloat16; one element on each side is checked to stay."""
    n = len(x)
    padded = np.append(x, np.zeros(-n % LANES, np.float32))
    out = np.full(len(padded) + 2, 7, np.uint16)
    _bfloat16(padded, out)
    assert out[0] == out[-1] == 7
    return out[1 : n + 1]


def _wide(bits: HostArray) -> HostArray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _nearest_bits(x: np.float32) -> int:
    """Of the two neighbours the nearer, the even one in the middle; inf is one step beyond."""
    below = int(x.view(np.uint32)) >> 16
    exact = Fraction(float(x))
    distance = {}
    for bits in (below, below + 1):
        wide = float(_wide(np.array([bits], np.uint16))[0])
        size = Fraction(2) ** 128 if np.isinf(wide) else abs(Fraction(wide))
        distance[bits] = abs(size - abs(exact))
    return min(distance, key=lambda bits: (distance[bits], bits & 1))


@settings(max_examples=100)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_bfloat16_is_the_nearest(numbers: list[float]) -> None:
    x = np.array(numbers, np.float32)
    np.testing.assert_array_equal(_rounded(x), [_nearest_bits(a) for a in _as_read(x)])


def _as_read(x: HostArray) -> HostArray:
    """The numbers as an instruction for bfloat16 takes them: denormal ones are zeros."""
    if not TARGET.bfloat16:
        return x
    return np.where(np.abs(x) < np.finfo(np.float32).tiny, np.copysign(np.float32(0), x), x)


def test_denormal_numbers_are_the_nearest_or_zeros() -> None:
    sizes = np.array([2.0**-149, 1e-40, 1.1e-38, np.finfo(np.float32).tiny], np.float32)
    x = np.concatenate([sizes, -sizes])
    np.testing.assert_array_equal(_rounded(x), [_nearest_bits(a) for a in _as_read(x)])


def test_bfloat16_in_the_middle_is_even() -> None:
    middle = (np.arange(0x3F00, 0x3F80, dtype=np.uint32) << 16) + 0x8000
    for off in (-1, 0, 1):
        x = (middle.astype(np.int64) + off).astype(np.uint32).view(np.float32)
        np.testing.assert_array_equal(_rounded(x), [_nearest_bits(a) for a in x])
    assert (_rounded(middle.view(np.float32)) % 2 == 0).all()


def test_bfloat16_of_edges() -> None:
    found = _rounded(EDGES)
    nan = np.isnan(EDGES)
    assert np.isnan(_wide(found)[nan]).all()
    infinite = np.isinf(EDGES)
    np.testing.assert_array_equal(_wide(found)[infinite], EDGES[infinite])
    finite = EDGES[np.isfinite(EDGES)]
    np.testing.assert_array_equal(_rounded(finite), [_nearest_bits(a) for a in finite])


def test_every_nan_stays_one() -> None:
    bits = [0x7F800001, 0x7FFFFFFF, 0xFF800001, 0xFFFFFFFF, 0x7FC00000]
    assert np.isnan(_wide(_rounded(np.array(bits, np.uint32).view(np.float32)))).all()


def test_bytes_are_the_nearest_whole_numbers() -> None:
    x = np.concatenate([np.arange(0, 255.25, 0.25), np.float32([0.4999999, 254.5, 255])])
    x = np.append(x, np.zeros(-len(x) % LANES)).astype(np.float32)
    out = np.full(len(x) + 2, 7, np.uint8)
    _bytes(x, out)
    np.testing.assert_array_equal(out, [7, *np.rint(x), 7])


@pytest.mark.parametrize("width", WIDTHS)
def test_a_row_is_rounded_and_filled_with_zeros(width: int) -> None:
    x = np.random.default_rng(width).standard_normal((3, width)).astype(np.float32)
    whole = -(-width // LANES) * LANES
    out = np.full((4, whole), 7, np.uint16)
    _round_row(x, 1, out, 2)
    expected = np.full((4, whole), 7, np.uint16)
    expected[2] = 0
    expected[2, :width] = [_nearest_bits(a) for a in x[1]]
    np.testing.assert_array_equal(out, expected)


def _quantized(row: Any) -> tuple[HostArray, float, int]:
    """Bytes, step and zero of one row."""
    x = np.array([row], np.float32)
    out = np.full((3, -(-x.shape[1] // LANES) * LANES), 7, np.uint8)
    step, zero = _quantize_row(x, 0, out, 1)
    assert (out[[0, 2]] == 7).all()
    if step > 0:
        assert (out[1, len(row) :] == zero).all()
    return out[1, : len(row)], float(step), int(zero)


ROWS = [
    [1.0],
    [-1.0],
    [0.0, 1.0, -2.0],
    [3.0, 4.0, 5.0],
    [-3.0, -4.0],
    [LARGE, -LARGE],
    [LARGE, LARGE / 2, 0.0],
    [1e30, 1e-30, -1e30],
    [TINY, -TINY, TINY / 2],
    [1e-36, 5e-37, -1e-37],
    [1e-38, 5e-39],
    [1e-35, 5e-36, -1e-36],
    [40 * 255 * DENORMAL, 20 * 255 * DENORMAL],
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_quantised_row_is_within_a_step(row: list[float]) -> None:
    _check_quantised(np.array(row, np.float32))


@settings(max_examples=100)
@given(
    st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=3 * LANES),
    st.sampled_from([1e-30, 1.0, 1e30]),
)
def test_any_quantised_row_is_within_a_step(row: list[float], scale: float) -> None:
    _check_quantised((np.array(row, np.float32) * np.float32(scale)).astype(np.float32))


def _check_quantised(row: HostArray) -> None:
    found, step, zero = _quantized(row)
    wide = row.astype(np.float64)
    span = max(0.0, wide.max()) - min(0.0, wide.min())
    if span / 255 < 0.999 * TINY:
        assert step == 0
        return
    assert step == pytest.approx(span / 255, rel=1e-6)
    assert 0 <= zero <= 255
    # The zero is rounded, and so is each element; at an end it may be cut off by as much.
    off = np.abs((found.astype(np.float64) - zero) * step - wide)
    assert off.max() <= 1.01 * step


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("width", [1, LANES, 2 * LANES + 3])
def test_a_row_that_is_not_finite_has_no_step(odd: float, width: int) -> None:
    for place in {0, width // 2, width - 1}:
        row = np.ones(width)
        row[place] = odd
        assert np.isnan(_quantized(row)[1])


@pytest.mark.parametrize("width", [0, 1, LANES + 1])
def test_zeros_have_step_zero(width: int) -> None:
    assert _quantized([0.0] * width)[1] == 0
    assert _quantized([-0.0] * width)[1] == 0
