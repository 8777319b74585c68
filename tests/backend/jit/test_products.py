"""``activation(x @ weightᵀ + bias)`` in float32 against float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.backend.jit.activations import ACTIVATIONS
from gpudb.backend.jit.backend import JitBackend
from gpudb.backend.jit.compiled.tile import COLUMNS, ROWS
from gpudb.backend.jit.packing import pack
from gpudb.backend.jit.products import linear
from gpudb.backend.jit.rows import CONFLICT
from gpudb.kernels.elementwise import MAPS
from gpudb.types import HostArray
from tests.backend.jit.factors import LAID_OUT, SHAPES, numbers

EPS = float(np.finfo(np.float32).eps)


def product(
    x: HostArray, w: HostArray, bias: HostArray | None = None, activation: str | None = None
) -> HostArray:
    """What is tested."""
    return linear(x, pack(w, "float32"), bias, ACTIVATIONS[activation])


def check(x: HostArray, w: HostArray, bias: HostArray | None = None) -> None:
    """Each sum is off by a rounding of each step at most, of the sizes that are added."""
    wide_x, wide_w = x.astype(np.float64), w.astype(np.float64)
    added = 0 if bias is None else bias
    expected = wide_x @ wide_w.T + added
    sizes = np.abs(wide_x) @ np.abs(wide_w).T + np.abs(added)
    found = product(x, w, bias)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert found.flags.c_contiguous
    assert (np.abs(found - expected) <= (x.shape[1] + 2) * EPS * sizes).all()


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize(("rows", "inner", "columns"), SHAPES)
def test_a_product_equals_float64(rows: int, inner: int, columns: int, biased: bool) -> None:
    bias = numbers(columns, seed=3) if biased else None
    check(numbers(rows, inner, seed=1), numbers(columns, inner, seed=2), bias)


@settings(max_examples=60)
@given(
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(0, 3 * COLUMNS),
    st.sampled_from([1e-30, 1e-3, 1, 1e15]),
    st.integers(0, 99),
)
def test_any_product_equals_float64(
    rows: int, inner: int, columns: int, scale: float, seed: int
) -> None:
    x = numbers(rows, inner, seed=seed) * np.float32(scale)
    check(x, numbers(columns, inner, seed=seed + 1), numbers(columns, seed=seed + 2))


def test_whole_numbers_are_exact() -> None:
    random = np.random.default_rng(0)
    x, w = random.integers(-99, 99, (33, 200)), random.integers(-99, 99, (70, 200))
    found = product(x.astype(np.float32), w.astype(np.float32))
    np.testing.assert_array_equal(found, x @ w.T)


@pytest.mark.parametrize("layout", LAID_OUT)
@pytest.mark.parametrize("inner", [1, 33, CONFLICT // 4])
def test_a_left_factor_may_lie_anywhere(layout: str, inner: int) -> None:
    w = numbers(COLUMNS + 3, inner, seed=2)
    x = LAID_OUT[layout](numbers(ROWS + 3, inner))
    plain = np.ascontiguousarray(x, np.float32)
    np.testing.assert_array_equal(product(x, w), product(plain, w))


@pytest.mark.parametrize("steps", [0, 1, 4, 5000])
def test_the_step_from_a_single_row_to_the_next_means_nothing(steps: int) -> None:
    x, w = numbers(1, 33), numbers(COLUMNS + 3, 33)
    memory = np.zeros(33 + 9, np.float32)
    memory[:33] = x
    odd = np.lib.stride_tricks.as_strided(memory, (1, 33), (4 * steps, 4))
    np.testing.assert_array_equal(product(odd, w), product(x, w))


@pytest.mark.parametrize("layout", LAID_OUT)
def test_a_weight_and_a_bias_may_lie_anywhere(layout: str) -> None:
    x, w, bias = numbers(3, 33), LAID_OUT[layout](numbers(COLUMNS + 3, 33)), numbers(COLUMNS + 3)
    plain = np.ascontiguousarray(w, np.float32)
    expected = product(x, plain, bias)
    found = product(x, w, LAID_OUT[layout](bias.reshape(-1, 1))[:, 0])
    if layout != "one row, repeated":
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_array_equal(found, product(x, plain, np.full_like(bias, bias[0])))


def test_nothing_is_written_into_the_factors() -> None:
    x, w, bias = numbers(20, 512), numbers(40, 512), numbers(40)
    before = [a.copy() for a in (x, w, bias)]
    product(x, w, bias, "gelu")
    for array, old in zip((x, w, bias), before, strict=True):
        np.testing.assert_array_equal(array, old)


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("activation", list(ACTIVATIONS), ids=str)
def test_an_activation_follows_the_bias(activation: str | None, biased: bool) -> None:
    x, w = numbers(2 * ROWS + 1, 24), numbers(2 * COLUMNS + 5, 24)
    bias = numbers(len(w)) if biased else None
    expected = x.astype(np.float64) @ w.T.astype(np.float64) + (bias if biased else 0)
    if activation:
        expected = MAPS[activation](expected)
    found = product(x, w, bias, activation)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("activation", ["exp", "sqrt", "square"])
def test_an_activation_that_is_not_compiled_is_the_references(activation: str) -> None:
    x, w, bias = np.abs(numbers(5, 8)), np.abs(numbers(7, 8)), np.abs(numbers(7))
    backend = JitBackend()
    found = backend.linear(x, backend.pack(w), bias, activation)
    np.testing.assert_allclose(found, MAPS[activation](x @ w.T + bias), rtol=1e-5)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_row_and_column(odd: float) -> None:
    x, w = np.abs(numbers(ROWS + 3, 11)), np.abs(numbers(COLUMNS + 7, 11))
    plain = product(x, w)
    for place in (0, ROWS - 1, ROWS + 2):
        changed = x.copy()
        changed[place, 10] = odd
        expected = plain.copy()
        expected[place] = odd
        np.testing.assert_array_equal(product(changed, w), expected)
    for place in (0, COLUMNS - 1, COLUMNS + 6):
        changed = w.copy()
        changed[place, 10] = odd
        expected = plain.copy()
        expected[:, place] = odd
        np.testing.assert_array_equal(product(x, changed), expected)


@pytest.mark.parametrize("rows", range(1, 2 * ROWS + 2))
def test_a_row_does_not_depend_on_the_others(rows: int) -> None:
    x, w, bias = numbers(2 * ROWS + 1, 70), numbers(COLUMNS + 3, 70), numbers(COLUMNS + 3)
    whole = product(x, w, bias, "gelu")
    np.testing.assert_array_equal(product(x[:rows], w, bias, "gelu"), whole[:rows])
    np.testing.assert_array_equal(product(x[-rows:], w, bias, "gelu"), whole[-rows:])


def test_the_backend_multiplies_by_packed_and_by_plain_weights() -> None:
    backend = JitBackend()
    x, w, bias = numbers(5, 8), numbers(7, 8), numbers(7)
    packed = backend.pack(w)
    np.testing.assert_allclose(backend.matmul(x, packed, True), x @ w.T, rtol=1e-5, atol=1e-6)
    for weight in (w, packed, packed[0]):
        found = backend.linear(x, weight, bias, "relu")
        np.testing.assert_allclose(found, np.maximum(x @ w.T + bias, 0), rtol=1e-5, atol=1e-6)
