"""Products in bfloat16 and int8 against oracles that round the same way, and against float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.backend import open_backend
from gpudb.backend.jit.activations import ACTIVATIONS
from gpudb.backend.jit.compiled import heads, products
from gpudb.backend.jit.compiled.part import lacking
from gpudb.backend.jit.compiled.products import chunk_rows
from gpudb.backend.jit.compiled.tile import COLUMNS, ROWS
from gpudb.backend.jit.packing import pack
from gpudb.backend.jit.probe import obstacle
from gpudb.backend.jit.products import linear
from gpudb.backend.jit.rows import CONFLICT
from gpudb.backend.jit.target import TARGET
from gpudb.errors import DeviceError
from gpudb.kernels.elementwise import MAPS
from gpudb.types import HostArray, widen
from tests.backend.jit.factors import LAID_OUT, SHAPES, numbers

EPS = float(np.finfo(np.float32).eps)
HAS = {"bfloat16": TARGET.bfloat16, "int8": TARGET.int8}
NEEDS = {"bfloat16": "AVX512_BF16", "int8": "AVX512_VNNI"}
PRECISIONS = [
    pytest.param(name, marks=pytest.mark.skipif(not has, reason=f"needs {NEEDS[name]}"))
    for name, has in HAS.items()
]
bfloat16 = pytest.mark.skipif(not TARGET.bfloat16, reason="needs AVX512_BF16")
int8 = pytest.mark.skipif(not TARGET.int8, reason="needs AVX512_VNNI")


def product(
    x: HostArray,
    w: HostArray,
    dtype: str,
    bias: HostArray | None = None,
    activation: str | None = None,
) -> HostArray:
    """What is tested."""
    return linear(x, pack(w, dtype), bias, ACTIVATIONS[activation])


def rounded(x: HostArray) -> HostArray:
    """The nearest bfloat16, to even in the middle, as float64; not for NaN."""
    bits = x.astype(np.float32).view(np.uint32).astype(np.int64)
    kept = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    return widen(kept, "bfloat16").astype(np.float64)


def bytes_of_columns(w: HostArray) -> tuple[HostArray, HostArray]:
    """Rows of a finite weight in 127 steps either side of zero, and their steps."""
    steps = (np.abs(w).max(axis=1, initial=0) / np.float32(127)).astype(np.float32)
    whole = np.rint(w / np.where(steps == 0, np.float32(1), steps)[:, None])
    return whole.astype(np.int64), steps.astype(np.float64)


def bytes_of_rows(x: HostArray) -> tuple[HostArray, HostArray, HostArray]:
    """Rows of a finite left factor in 255 steps from the least to the most, steps and zeros."""
    high = np.maximum(x.max(axis=1, initial=0), 0).astype(np.float32)
    low = np.minimum(x.min(axis=1, initial=0), 0).astype(np.float32)
    steps = high / np.float32(255) - low / np.float32(255)
    safe = np.where(steps == 0, np.float32(1), steps)
    zeros = np.rint(-low / safe)
    inverse = (np.float32(1) / safe).astype(np.float64)
    # A product and a sum of float32 in float64, then one rounding: what FMA does.
    scaled = (x.astype(np.float64) * inverse[:, None] + zeros[:, None]).astype(np.float32)
    return np.clip(np.rint(scaled), 0, 255).astype(np.int64), steps.astype(np.float64), zeros


def test_a_precision_the_processor_lacks_is_refused_with_the_reason() -> None:
    if reason := obstacle():
        pytest.skip(reason)
    for precision, has in HAS.items():
        if has:
            assert open_backend("jit", precision=precision).packs == precision
            continue
        with pytest.raises(DeviceError, match=f"needs {NEEDS[precision]}.*{TARGET.name}"):
            open_backend("jit", precision=precision)


def test_what_the_processor_lacks_is_not_compiled() -> None:
    # An assembler that does not know an instruction ends the process.
    functions = {"bfloat16": products._if_bfloat16, "int8": products._if_int8}
    for precision, has in HAS.items():
        assert (functions[precision] is not lacking) == has
    assert (heads._if_bfloat16 is not lacking) == HAS["bfloat16"]


def check_bfloat16(x: HostArray, w: HostArray, bias: HostArray) -> None:
    expected = rounded(x) @ rounded(w).T + bias
    sizes = np.abs(rounded(x)) @ np.abs(rounded(w)).T + np.abs(bias)
    found = product(x, w, "bfloat16", bias)
    assert (found.dtype, found.shape) == (np.float32, expected.shape)
    assert (np.abs(found - expected) <= (x.shape[1] + 2) * EPS * sizes).all()


def check_int8(x: HostArray, w: HostArray, bias: HostArray) -> None:
    left, steps, zeros = bytes_of_rows(x)
    right, scales = bytes_of_columns(w)
    exact = (left - zeros[:, None].astype(np.int64)) @ right.T
    expected = exact * steps[:, None] * scales + bias
    found = product(x, w, "int8", bias)
    assert (found.dtype, found.shape) == (np.float32, expected.shape)
    sizes = np.abs(exact * steps[:, None] * scales) + np.abs(bias)
    assert (np.abs(found - expected) <= 4 * EPS * sizes).all()


CHECKS = {"bfloat16": check_bfloat16, "int8": check_int8}


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize(("rows", "inner", "columns"), SHAPES)
def test_a_product_equals_its_oracle(rows: int, inner: int, columns: int, dtype: str) -> None:
    x, w = numbers(rows, inner, seed=1), numbers(columns, inner, seed=2)
    CHECKS[dtype](x, w, numbers(columns, seed=3))


@pytest.mark.parametrize("dtype", PRECISIONS)
@settings(max_examples=60)
@given(
    st.integers(1, 40),
    st.integers(1, 70),
    st.integers(1, 3 * COLUMNS),
    st.sampled_from([1e-15, 1e-3, 1, 1e15]),
    st.sampled_from(["normal", "positive", "negative", "one is large"]),
    st.integers(0, 99),
)
def test_any_product_equals_its_oracle(
    dtype: str, rows: int, inner: int, columns: int, scale: float, kind: str, seed: int
) -> None:
    x = numbers(rows, inner, seed=seed) * np.float32(scale)
    if kind in ("positive", "negative"):
        x = np.abs(x) * np.float32(1 if kind == "positive" else -1)
    elif kind == "one is large":
        x[:, seed % inner] *= np.float32(1e4)
    w = numbers(columns, inner, seed=seed + 1)
    CHECKS[dtype](x, w, numbers(columns, seed=seed + 2))


@int8
@pytest.mark.parametrize("inner", [3, 64, 384])
def test_bytes_are_within_half_steps_of_float64(inner: int) -> None:
    x, w = numbers(40, inner, seed=1), numbers(50, inner, seed=2)
    found = product(x, w, "int8").astype(np.float64)
    exact = x.astype(np.float64) @ w.T.astype(np.float64)
    left = (x.max(axis=1) - x.min(axis=1)).astype(np.float64) / 255
    right = np.abs(w).max(axis=1).astype(np.float64) / 127
    # Elements are off by one step at most at the ends of a row, half a step in a weight.
    off = left[:, None] * np.abs(w).sum(axis=1) + np.abs(x).sum(axis=1)[:, None] * right / 2
    off += inner * left[:, None] * right / 2
    assert (np.abs(found - exact) <= off * 1.001).all()


@bfloat16
def test_bfloat16_is_within_a_rounding_of_each_factor_of_float64() -> None:
    x, w = numbers(40, 384, seed=1), numbers(50, 384, seed=2)
    exact = x.astype(np.float64) @ w.T.astype(np.float64)
    sizes = np.abs(x).astype(np.float64) @ np.abs(w).T.astype(np.float64)
    assert (np.abs(product(x, w, "bfloat16") - exact) <= 2**-7 * sizes).all()


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("layout", LAID_OUT)
@pytest.mark.parametrize("inner", [1, 33, CONFLICT // 4])
def test_a_left_factor_may_lie_anywhere(layout: str, inner: int, dtype: str) -> None:
    w = numbers(COLUMNS + 3, inner, seed=2)
    x = LAID_OUT[layout](numbers(ROWS + 3, inner))
    plain = np.ascontiguousarray(x, np.float32)
    np.testing.assert_array_equal(product(x, w, dtype), product(plain, w, dtype))


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("activation", list(ACTIVATIONS), ids=str)
def test_an_activation_follows_the_bias(activation: str | None, dtype: str) -> None:
    x, w, bias = numbers(2 * ROWS + 1, 24), numbers(2 * COLUMNS + 5, 24), numbers(2 * COLUMNS + 5)
    before = product(x, w, dtype, bias).astype(np.float64)
    expected = MAPS[activation](before) if activation else before
    found = product(x, w, dtype, bias, activation)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_row_and_column(odd: float, dtype: str) -> None:
    x, w = np.abs(numbers(ROWS + 3, 11)), np.abs(numbers(COLUMNS + 7, 11))
    plain = product(x, w, dtype)
    # Steps of what is not finite are not numbers.
    becomes = np.nan if dtype == "int8" else odd
    for place in (0, ROWS - 1, ROWS + 2):
        changed = x.copy()
        changed[place, 10] = odd
        expected = plain.copy()
        expected[place] = becomes
        np.testing.assert_array_equal(product(changed, w, dtype), expected)
    for place in (0, COLUMNS - 1, COLUMNS + 6):
        changed = w.copy()
        changed[place, 10] = odd
        expected = plain.copy()
        expected[:, place] = becomes
        np.testing.assert_array_equal(product(x, changed, dtype), expected)


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_a_row_or_a_column_of_zeros_gives_the_bias(dtype: str) -> None:
    x, w, bias = numbers(ROWS + 3, 24), numbers(COLUMNS + 7, 24), numbers(COLUMNS + 7)
    x[[0, ROWS]] = 0
    w[[1, COLUMNS]] = -0.0
    found = product(x, w, dtype, bias)
    np.testing.assert_array_equal(found[[0, ROWS]], [bias, bias])
    np.testing.assert_array_equal(found[:, [1, COLUMNS]], [bias[[1, COLUMNS]]] * len(x))


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("size", [1e-45, 1e-38, 1e-36, 1e-33, 1e30, 3.3e38])
def test_huge_and_tiny_rows(size: float, dtype: str) -> None:
    x = np.array([[size, -size, 0, size / 2], [1, 2, 3, 4]], np.float32)
    w = np.array([[0.25, 0, 1, 0], [0, 0.25, 0.125, 0], [0, 0, 1, 0]], np.float32)
    exact = x.astype(np.float64) @ w.T
    # What is lost of a row: denormal elements, or denormal steps.
    lost = 255 * float(np.finfo(np.float32).tiny)
    found = product(x, w, dtype)
    np.testing.assert_allclose(found, exact, rtol=0.02, atol=lost)


@int8
def test_bytes_of_a_long_row_do_not_overflow() -> None:
    longest = 66_311
    for sign in (1, -1):
        x, w = np.full((2, longest), 1, np.float32), np.full((3, longest), sign, np.float32)
        np.testing.assert_allclose(
            product(x, w, "int8"), np.full((2, 3), sign * longest), rtol=1e-6
        )


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("rows", range(1, 2 * ROWS + 2))
def test_a_row_does_not_depend_on_the_others(rows: int, dtype: str) -> None:
    x, w, bias = numbers(2 * ROWS + 1, 70), numbers(COLUMNS + 3, 70), numbers(COLUMNS + 3)
    whole = product(x, w, dtype, bias, "gelu")
    np.testing.assert_array_equal(product(x[:rows], w, dtype, bias, "gelu"), whole[:rows])
    np.testing.assert_array_equal(product(x[-rows:], w, dtype, bias, "gelu"), whole[-rows:])


@pytest.mark.parametrize("dtype", ["float32", *(d for d, has in HAS.items() if has)])
def test_rows_that_pass_in_chunks_have_the_bits_of_rows_alone(
    dtype: str,
) -> None:
    inner = 300
    rows = 3 * chunk_rows(10_000, 4 * inner) + 5
    x, weight = numbers(rows, inner), pack(numbers(COLUMNS + 3, inner), dtype)
    whole = linear(x, weight, None, ACTIVATIONS[None])
    some = [0, ROWS, rows // 3, rows // 2, rows - 6, rows - 1]
    alone = linear(x[some], weight, None, ACTIVATIONS[None])
    np.testing.assert_array_equal(whole[some], alone)
