"""Vectors of float32: what is read and written, and arithmetic, against NumPy."""

from __future__ import annotations

import operator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core.errors import TypingError

from gpudb.backend.jit.compiled.arrays import at
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.compiled.vectors import (
    absolute,
    fma,
    larger,
    larger_or_nan,
    load,
    load_less,
    load_part,
    load_up_to,
    smaller,
    splat,
    store,
    store_part,
    store_up_to,
    with_sign,
)
from gpudb.types import HostArray
from tests.backend.jit.lanewise import EDGES, lanewise, nearest, pairs

CANARY = np.float32(-77)
COUNTS = [*range(LANES + 1), -1]
floats = st.floats(-1e9, 1e9, width=32, allow_subnormal=False)


@part
def _copy(x: Any, out: Any) -> None:
    store(at(out, (1,)), load(at(x, (1,))))


@part
def _copy_part(x: Any, count: int, out: Any) -> None:
    store_part(at(out, (1,)), load_part(at(x, (1,)), count), count)


@part
def _copy_up_to(x: Any, count: int, out: Any) -> None:
    store_up_to(at(out, (1,)), load_up_to(at(x, (1,)), count), count)


@part
def _load_part(x: Any, count: int, out: Any) -> None:
    store(at(out, (0,)), load_part(at(x, (0,)), count))


@part
def _load_less(x: Any, other: Any, times: Any, out: Any) -> None:
    store(at(out, (0,)), load_less(at(x, (0,)), at(other, (0,)), times))


@part
def _splat(x: Any, out: Any) -> None:
    store(at(out, (0,)), splat(x))


@part
def _address(x: Any, index: Any) -> Any:
    return at(x, index)


def _numbers(n: int, seed: int = 0) -> HostArray:
    return np.random.default_rng(seed).standard_normal(n).astype(np.float32)


def test_a_vector_is_copied_from_anywhere_and_nothing_else_is_touched() -> None:
    x, out = _numbers(LANES + 2), np.full(LANES + 2, CANARY)
    _copy(x, out)
    np.testing.assert_array_equal(out, [CANARY, *x[1:-1], CANARY])


@pytest.mark.parametrize("copy", [_copy_part, _copy_up_to])
@pytest.mark.parametrize("count", COUNTS)
def test_a_part_is_copied_and_nothing_else_is_touched(copy: Any, count: int) -> None:
    x, out = _numbers(LANES + 2), np.full(LANES + 2, CANARY)
    copy(x, count, out)
    expected = np.full(LANES + 2, CANARY)
    expected[1 : 1 + max(0, count)] = x[1 : 1 + max(0, count)]
    np.testing.assert_array_equal(out, expected)


def test_up_to_is_a_vector_at_most() -> None:
    x, out = _numbers(LANES + 2), np.full(LANES + 2, CANARY)
    _copy_up_to(x, LANES + 1000, out)
    np.testing.assert_array_equal(out, [CANARY, *x[1:-1], CANARY])


@pytest.mark.parametrize("count", COUNTS)
def test_behind_a_part_are_zeros(count: int) -> None:
    x, out = _numbers(LANES), np.full(LANES, CANARY)
    _load_part(x, count, out)
    np.testing.assert_array_equal(out, [*x[: max(0, count)], *[0] * (LANES - max(0, count))])


def _laid_out() -> list[HostArray]:
    whole = np.zeros((5, 6, 7), np.float32)
    doubles, bits, small = (np.zeros((3, 4), t) for t in (np.float64, np.uint16, np.int8))
    shared = np.zeros((4, 9), np.float32)
    shared.flags.writeable = False
    return [
        *(whole[0, 0], whole[0], whole, whole[1:, ::2, 1:6], whole[::-1], whole[:, 1]),
        *(whole[::2, ::-3], doubles, bits, small, small[::2], shared, shared[:, 3:5]),
    ]


@pytest.mark.parametrize("x", _laid_out(), ids=lambda x: f"{x.dtype} {x.shape} {x.strides}")
def test_an_address_is_that_of_the_element(x: HostArray) -> None:
    for index in np.ndindex(x.shape):
        place = x[tuple(slice(i, i + 1) for i in index)]
        assert _address(x, index) == place.ctypes.data


def test_an_address_needs_a_number_for_each_axis() -> None:
    with pytest.raises(TypingError):
        _address(np.zeros((2, 2), np.float32), (0,))


@pytest.mark.parametrize("x", EDGES)
def test_splat(x: np.float32) -> None:
    out = np.empty(LANES, np.float32)
    _splat(x, out)
    np.testing.assert_array_equal(out.view(np.uint32), x.view(np.uint32))


OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv]


@pytest.mark.parametrize("symbol", OPERATORS, ids=lambda f: f.__name__)
def test_arithmetic_is_that_of_float32(symbol: Any) -> None:
    x, y = pairs(2.5, -1e-3)
    with np.errstate(all="ignore"):
        expected = symbol(x, y)
    found = lanewise(_as_operation(symbol), x, y)
    np.testing.assert_array_equal(found, expected)
    zeros = expected == 0
    np.testing.assert_array_equal(np.signbit(found[zeros]), np.signbit(expected[zeros]))


def _as_operation(symbol: Any) -> Any:
    functions = {
        operator.add: lambda x, y: x + y,
        operator.sub: lambda x, y: x - y,
        operator.mul: lambda x, y: x * y,
        operator.truediv: lambda x, y: x / y,
    }
    return part(functions[symbol])


@settings(max_examples=200)
@given(st.lists(st.tuples(floats, floats, floats), min_size=1, max_size=40))
def test_fma_rounds_once(triples: list[tuple[float, float, float]]) -> None:
    x, y, z = np.array(triples, np.float32).T
    expected = [
        nearest(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c)))
        for a, b, c in zip(x, y, z, strict=True)
    ]
    np.testing.assert_array_equal(lanewise(fma, x, y, z), expected)


def test_fma_keeps_what_a_product_would_lose() -> None:
    x = np.float32([1 + 2**-12])
    found = lanewise(fma, x, x, -np.float32(x * x))
    assert found[0] == Fraction(float(x[0])) ** 2 - Fraction(float(np.float32(x * x)[0])) != 0


def test_fma_of_what_is_not_finite() -> None:
    x, y = pairs()
    z = np.roll(x, 5)
    with np.errstate(all="ignore"):
        wide = x.astype(np.float64) * y + z
        odd = ~np.isfinite(wide)
    assert odd.sum() > 50
    np.testing.assert_array_equal(lanewise(fma, x, y, z)[odd], wide[odd])


@pytest.mark.parametrize(("choose", "numpy"), [(larger, np.maximum), (smaller, np.minimum)])
def test_the_larger_and_the_smaller(choose: Any, numpy: Any) -> None:
    x, y = pairs()
    found = lanewise(choose, x, y)
    # NaN where x is NaN; where only y is, x.
    expected = np.where(np.isnan(y) & ~np.isnan(x), x, numpy(x, y))
    np.testing.assert_array_equal(found, expected)


def test_the_larger_or_nan_is_numpys_maximum() -> None:
    x, y = pairs()
    np.testing.assert_array_equal(lanewise(larger_or_nan, x, y), np.maximum(x, y))


def test_absolute_and_sign_are_bits() -> None:
    x, y = pairs()
    found = [lanewise(absolute, x), lanewise(with_sign, x, y)]
    for ours, expected in zip(found, [np.abs(x), np.copysign(x, y)], strict=True):
        np.testing.assert_array_equal(ours.view(np.uint32), expected.view(np.uint32))


@settings(max_examples=50)
@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=2 * LANES, max_size=2 * LANES))
def test_a_difference_of_integers_is_exact_modulo_32_bits(numbers: list[int]) -> None:
    x, other = np.array(numbers, np.int64).astype(np.int32).reshape(2, LANES)
    out = np.empty(LANES, np.float32)
    for times in (0, 1, 255):
        _load_less(x, other, np.int32(times), out)
        exact = (x.astype(np.int64) - times * other.astype(np.int64)).astype(np.int32)
        np.testing.assert_array_equal(out, exact.astype(np.float32))
