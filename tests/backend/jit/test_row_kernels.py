"""Norms of rows and of embeddings against float64, and against the references for odd numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.backend.jit.backend import JitBackend
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.kernels.table import COMPILED
from gpudb.kernels.embedding_layer_norm import embedding_layer_norm
from gpudb.kernels.layer_norm import layer_norm
from gpudb.kernels.residual_layer_norm import residual_layer_norm
from gpudb.kernels.rms_norm import rms_norm
from gpudb.types import HostArray
from tests.backend.jit.factors import LAID_OUT, numbers
from tests.kernels.kernel_calls import calls

TOLERANCE = {"rtol": 1e-5, "atol": 5e-6}
WIDTHS = (1, 2, LANES - 1, LANES, LANES + 1, 3 * LANES, 3 * LANES + 5, 384)
EPS = 1e-5


def run(kernel: Any, *args: Any) -> HostArray:
    """What is tested."""
    return JitBackend().call(kernel, *args)


def normalized(x: Any, gamma: Any, beta: Any, eps: float = EPS) -> HostArray:
    wide = np.asarray(x, np.float64)
    off = wide - wide.mean(axis=1, keepdims=True)
    return off / np.sqrt((off * off).mean(axis=1, keepdims=True) + eps) * gamma + beta


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", list(COMPILED))
def test_every_call_that_kernels_are_tried_with(name: str, dtype: str) -> None:
    module = __import__(f"gpudb.kernels.{name}", fromlist=[name])
    kernel = getattr(module, name)
    for args in calls(dtype)[name]:
        expected = kernel.reference(*args)
        found = run(kernel, *args)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("rows", [0, 1, 5])
@pytest.mark.parametrize("width", WIDTHS)
def test_norms_equal_float64(width: int, rows: int) -> None:
    x, residual = numbers(rows, width), numbers(rows, width, seed=1)
    bias, gamma, beta = numbers(3, width, seed=2)
    if width == 1:
        residual[:] = x  # one element is its own mean, whatever is lost of it
    for kernel, args, summed in (
        (layer_norm, (x,), x),
        (residual_layer_norm, (x, None, residual), x.astype(np.float64) + residual),
        (residual_layer_norm, (x, bias, residual), x.astype(np.float64) + bias + residual),
    ):
        before = [None if a is None else a.copy() for a in args]
        found = run(kernel, *args, gamma, beta, EPS)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, normalized(summed, gamma, beta), **TOLERANCE)
        for array, old in zip(args, before, strict=True):
            np.testing.assert_array_equal(array, old)


@pytest.mark.parametrize("rows", [0, 1, 5])
@pytest.mark.parametrize("width", WIDTHS)
def test_root_mean_square_norms_equal_float64(width: int, rows: int) -> None:
    x, gamma = numbers(rows, width), numbers(width, seed=2)
    wide = x.astype(np.float64)
    expected = wide / np.sqrt((wide * wide).mean(axis=1, keepdims=True) + EPS) * gamma
    found = run(rms_norm, x, gamma, EPS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, **TOLERANCE)
    odd = x.copy()
    odd[:, :1] = np.nan
    assert np.isnan(run(rms_norm, odd, gamma, EPS)).all()


@pytest.mark.parametrize("padding", [1, LANES, LANES + 3])
@pytest.mark.parametrize("width", [1, LANES - 1, LANES + 1])
def test_padding_becomes_zero_and_is_not_read(width: int, padding: int) -> None:
    x = np.full((4, width + padding), np.nan, np.float32)
    x[:, :width] = numbers(4, width)
    gamma, beta = numbers(2, width, seed=2)
    found = run(layer_norm, x, gamma, beta, EPS)
    np.testing.assert_allclose(found[:, :width], normalized(x[:, :width], gamma, beta), **TOLERANCE)
    np.testing.assert_array_equal(found[:, width:], 0)


@settings(max_examples=50)
@given(
    st.integers(1, 5),
    st.integers(2, 80),
    st.sampled_from([0.0, 1e3, -1e4]),
    st.sampled_from([1e-3, 1.0, 1e10]),
    st.integers(0, 99),
)
def test_any_row_far_from_zero(rows: int, width: int, mean: float, scale: float, seed: int) -> None:
    x = (numbers(rows, width, seed=seed) + np.float32(mean)) * np.float32(scale)
    expected = normalized(x, 1, 0, 0.1)
    found = run(layer_norm, x, *np.float32([[1] * width, [0] * width]), 0.1)
    # The mean is rounded to float32: differences that are small beside it lose digits.
    wide = x.astype(np.float64)
    lost = np.abs(wide).max(axis=1) / np.sqrt(wide.var(axis=1) + 0.1)
    off = 1e-5 + 4e-7 * lost[:, None]
    assert (np.abs(found - expected) <= off * (1 + np.abs(expected))).all()


@pytest.mark.parametrize("kernel", [layer_norm, residual_layer_norm])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("width", [1, LANES, LANES + 3])
def test_what_is_not_finite_stays_in_its_row(width: int, odd: float, kernel: Any) -> None:
    x = numbers(5, width)
    rest = () if kernel is layer_norm else (None, numbers(5, width, seed=1))
    gamma, beta = numbers(2, width, seed=2)
    plain = run(kernel, x, *rest, gamma, beta, EPS)
    changed = x.copy()
    changed[2, width - 1] = odd
    found = run(kernel, changed, *rest, gamma, beta, EPS)
    np.testing.assert_array_equal(np.delete(found, 2, 0), np.delete(plain, 2, 0))
    assert np.isnan(found[2]).all()


@pytest.mark.parametrize("eps", [0.0, 1e-12])
def test_rows_without_variance(eps: float) -> None:
    x = np.float32([[2.0] * 5, [0.0] * 5])
    gamma, beta = numbers(2, 5)
    with np.errstate(invalid="ignore"):
        expected = layer_norm.reference(x, gamma, beta, eps)
    np.testing.assert_array_equal(run(layer_norm, x, gamma, beta, eps), expected)


@pytest.mark.parametrize("layout", LAID_OUT)
def test_rows_may_lie_anywhere(layout: str) -> None:
    x, residual = (LAID_OUT[layout](numbers(5, LANES + 3, seed=seed)) for seed in (0, 1))
    bias, gamma, beta = numbers(3, LANES + 3, seed=2)
    expected = normalized(x, gamma, beta)
    found = run(layer_norm, x, gamma, beta, EPS)
    assert found.dtype == x.dtype
    np.testing.assert_allclose(found, expected, **TOLERANCE)
    summed = x.astype(np.float64) + bias + residual
    found = run(residual_layer_norm, x, bias, residual, gamma, beta, EPS)
    assert found.dtype == x.dtype
    np.testing.assert_allclose(found, normalized(summed, gamma, beta), **TOLERANCE)


def test_vectors_may_have_steps() -> None:
    x, (gamma, beta) = numbers(5, 20), numbers(2, 20, seed=2)
    apart = [np.repeat(a, 3)[::3] for a in (gamma, beta)]
    found = run(layer_norm, x, *apart, EPS)
    np.testing.assert_allclose(found, normalized(x, gamma, beta), **TOLERANCE)
    repeated = np.broadcast_to(np.float32(2), 20)
    found = run(layer_norm, x, repeated, repeated, EPS)
    np.testing.assert_allclose(found, normalized(x, 2, 2), **TOLERANCE)


def _embedding(width: int, count: int, tables: int, dtype: Any = np.int32) -> Any:
    random = np.random.default_rng(0)
    heights = (7, 1, 40)[:tables]
    rows = [random.integers(0, h, count).astype(dtype) for h in heights]
    return [numbers(h, width, seed=h) for h in heights], rows, *numbers(2, width, seed=9)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32])
@pytest.mark.parametrize("tables", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 9])
@pytest.mark.parametrize("width", [1, LANES, LANES + 1, 70])
def test_embeddings_equal_float64(width: int, count: int, tables: int, dtype: Any) -> None:
    given_tables, rows, gamma, beta = _embedding(width, count, tables, dtype)
    pairs = zip(given_tables, rows, strict=True)
    summed = sum((t[r].astype(np.float64) for t, r in pairs), np.zeros((count, width)))
    found = run(embedding_layer_norm, given_tables, rows, gamma, beta, EPS)
    assert found.dtype == np.float32
    if width > 1:
        np.testing.assert_allclose(found, normalized(summed, gamma, beta), **TOLERANCE)
    else:
        np.testing.assert_array_equal(found, np.broadcast_to(beta, (count, 1)))


@pytest.mark.parametrize("layout", LAID_OUT)
def test_tables_may_lie_anywhere(layout: str) -> None:
    tables, rows, gamma, beta = _embedding(LANES + 3, 9, 3)
    tables = [LAID_OUT[layout](t) for t in tables]
    summed = sum(t[r].astype(np.float64) for t, r in zip(tables, rows, strict=True))
    found = run(embedding_layer_norm, tables, rows, gamma, beta, EPS)
    np.testing.assert_allclose(found, normalized(summed, gamma, beta), **TOLERANCE)
    steps = [np.repeat(r, 2)[::2] for r in rows]
    np.testing.assert_array_equal(run(embedding_layer_norm, tables, steps, gamma, beta, EPS), found)
    np.testing.assert_array_equal(
        run(embedding_layer_norm, tuple(tables), tuple(rows), gamma, beta, EPS), found
    )


@pytest.mark.parametrize("number", [-1, -7, -8, 7, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("table", [0, 1])
def test_a_row_that_is_not_there_is_what_the_reference_makes_of_it(table: int, number: int) -> None:
    tables, rows, gamma, beta = _embedding(4, 5, 2)
    rows[table][3] = number
    args = (tables, rows, gamma, beta, EPS)
    try:
        expected = embedding_layer_norm.reference(*args)
    except IndexError as error:
        with pytest.raises(IndexError, match=str(error)):
            run(embedding_layer_norm, *args)
    else:
        np.testing.assert_array_equal(run(embedding_layer_norm, *args), expected)


def test_a_table_without_rows() -> None:
    tables, rows, gamma, beta = _embedding(4, 5, 1)
    with pytest.raises(IndexError):
        run(embedding_layer_norm, [tables[0][:0]], rows, gamma, beta, EPS)
    found = run(embedding_layer_norm, [tables[0][:0]], [rows[0][:0]], gamma, beta, EPS)
    assert found.shape == (0, 4)


@pytest.mark.parametrize("count", [3, 4000])
def test_columns_of_other_lengths_raise_what_the_reference_raises(count: int) -> None:
    tables, rows, gamma, beta = _embedding(4, 5, 2)
    args = (tables, [rows[0], np.zeros(count, np.int32)], gamma, beta, EPS)
    for call in (embedding_layer_norm.reference, lambda *args: run(embedding_layer_norm, *args)):
        with pytest.raises(ValueError, match="broadcast"):
            call(*args)
