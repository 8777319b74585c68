"""Kernels that go over rows, against plain float64 formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpudb.kernels import rows
from gpudb.kernels.bias_activation import bias_activation
from gpudb.kernels.elementwise import MAPS
from gpudb.kernels.embedding_layer_norm import embedding_layer_norm
from gpudb.kernels.layer_norm import layer_norm
from gpudb.kernels.normalize import normalize
from gpudb.kernels.residual_layer_norm import residual_layer_norm
from gpudb.kernels.rms_norm import rms_norm
from gpudb.kernels.rows import row_pieces
from tests import reference_encoder

WIDTH = 8
PIECE_ROWS = 32
EPS = 1e-12
# Around one and two pieces of rows, with pieces made small; the last has an odd width.
SHAPES = [
    (0, WIDTH),
    (1, WIDTH),
    *((n, WIDTH) for n in (31, 32, 33, 63, 64, 65)),
    (7, 13),
    (5, 1),
    (2, 3000),
]
# float32: each of a few operations rounds values of a normalised row (below 20 here) by 6e-8.
TOLERANCE: dict[str, dict[str, float]] = {
    "float32": {"rtol": 1e-5, "atol": 1e-5},
    "float64": {"rtol": 1e-11, "atol": 1e-12},
}


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PIECE_NBYTES", PIECE_ROWS * WIDTH * 4)


def _random(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def _wide(*arrays: Any) -> list[Any]:
    return [a.astype(np.float64) for a in arrays]


def _expect(found: Any, expected: Any, dtype: str) -> None:
    assert found.dtype == np.dtype(dtype)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, **TOLERANCE[dtype])


@pytest.mark.parametrize("n", [0, 1, PIECE_ROWS - 1, PIECE_ROWS, PIECE_ROWS + 1, 100])
def test_pieces_cover_every_row_once(n: int) -> None:
    x = np.zeros((n, WIDTH), np.float32)
    pieces = list(row_pieces(x))
    assert [i for p in pieces for i in range(n)[p]] == list(range(n))
    assert all(x[p].nbytes <= rows.PIECE_NBYTES for p in pieces)
    assert len(pieces) == -(-n // PIECE_ROWS)


def test_a_row_wider_than_a_piece_is_a_piece() -> None:
    x = np.zeros((3, rows.PIECE_NBYTES), np.float32)
    assert [p.stop - p.start for p in row_pieces(x)] == [1, 1, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_layer_norm(shape: tuple[int, int], dtype: str) -> None:
    x, (gamma, beta) = _random(shape, dtype), _random((2, shape[1]), dtype, 1)
    kept = [a.copy() for a in (x, gamma, beta)]
    found = layer_norm.reference(x, gamma, beta, 1e-5)
    _expect(found, reference_encoder.layer_norm(*_wide(x, gamma, beta), 1e-5), dtype)
    for array, before in zip((x, gamma, beta), kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_layer_norm_of_a_row_far_from_zero() -> None:
    # The spacing of float32 at 10 000 is 1e-3: the row itself is exact, its mean within half that.
    x = (1e4 + np.round(_random((3, 64), "float64") * 512) / 512).astype(np.float32)
    one, zero = np.ones(64, np.float32), np.zeros(64, np.float32)
    found = layer_norm.reference(x, one, zero, 1e-12)
    expected = reference_encoder.layer_norm(*_wide(x, one, zero), 1e-12)
    np.testing.assert_allclose(found, expected, atol=3e-3)


def test_layer_norm_of_a_constant_row_is_beta() -> None:
    x = np.full((4, 16), 0.1, np.float32)
    gamma, beta = _random((2, 16), "float32")
    # The mean of equal numbers may be off by a rounding (1e-8); √eps is 1e-3.
    found = layer_norm.reference(x, gamma, beta, 1e-6)
    np.testing.assert_allclose(found, np.broadcast_to(beta, x.shape), atol=1e-4)
    exact = layer_norm.reference(np.full((4, 16), 2.0, np.float32), gamma, beta, 1e-12)
    np.testing.assert_array_equal(exact, np.broadcast_to(beta, x.shape))


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_layer_norm_of_tiny_and_huge_rows(scale: float) -> None:
    x = (_random((3, 24), "float64") * scale).astype(np.float32)
    one, zero = np.ones(24, np.float32), np.zeros(24, np.float32)
    expected = reference_encoder.layer_norm(*_wide(x, one, zero), 1e-5)
    np.testing.assert_allclose(layer_norm.reference(x, one, zero, 1e-5), expected, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_bad_element_spoils_its_row_only(bad: float) -> None:
    x = _random((5, WIDTH), "float32")
    x[2, 3] = bad
    one, zero = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    with np.errstate(invalid="ignore"):
        for found in (
            layer_norm.reference(x, one, zero, EPS),
            residual_layer_norm.reference(x, one, x * 2, one, zero, EPS),
            embedding_layer_norm.reference([x, x], [np.arange(5), np.arange(5)], one, zero, EPS),
        ):
            assert np.isnan(found).all(axis=1).tolist() == [False, False, True, False, False]
        found = normalize.reference(x, EPS)
    assert np.isnan(found).any(axis=1).tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_residual_layer_norm(shape: tuple[int, int], with_bias: bool, dtype: str) -> None:
    x, residual = _random((2, *shape), dtype)
    bias, gamma, beta = _random((3, shape[1]), dtype, 1)
    given = (x, residual, bias, gamma, beta)
    kept = [a.copy() for a in given]
    found = residual_layer_norm.reference(
        x, bias if with_bias else None, residual, gamma, beta, 1e-5
    )
    wide = _wide(*given)
    summed = wide[0] + wide[1] + (wide[2] if with_bias else 0)
    _expect(found, reference_encoder.layer_norm(summed, wide[3], wide[4], 1e-5), dtype)
    for array, before in zip(given, kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_residual_layer_norm_takes_the_wider_dtype() -> None:
    x, residual = _random((2, 3, 4), "float64")
    one, zero = np.ones(4), np.zeros(4)
    narrow = residual.astype(np.float32)
    for args in ((x, None, narrow), (narrow, None, x)):
        found = residual_layer_norm.reference(*args, one, zero, 1e-5)
        expected = reference_encoder.layer_norm(x + narrow, one, zero, 1e-5)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("n", [0, 1, 32, 33, 65])
def test_embedding_layer_norm(n: int, count: int, dtype: str) -> None:
    random = np.random.default_rng(5)
    tables = [_random((r, WIDTH), dtype, r) for r in (7, 2, 11)[:count]]
    columns = [random.integers(0, len(t), n, dtype=np.int32) for t in tables]
    gamma, beta = _random((2, WIDTH), dtype, 9)
    kept = [a.copy() for a in (*tables, *columns)]
    found = embedding_layer_norm.reference(tables, columns, gamma, beta, 1e-5)
    summed = np.zeros((n, WIDTH))
    for row in range(n):
        for table, column in zip(tables, columns, strict=True):
            summed[row] += table[column[row]]
    _expect(found, reference_encoder.layer_norm(summed, *_wide(gamma, beta), 1e-5), dtype)
    for array, before in zip((*tables, *columns), kept, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", [None, *sorted(MAPS)])
@pytest.mark.parametrize("shape", [(0, WIDTH), (1, 3), (33, WIDTH)])
def test_bias_activation(shape: tuple[int, int], activation: str | None, dtype: str) -> None:
    x, bias = np.abs(_random(shape, dtype)), np.abs(_random((shape[1],), dtype, 1))
    kept = bias.copy()
    wide = x.astype(np.float64) + bias.astype(np.float64)
    expected = wide if activation is None else MAPS[activation](wide)
    found = bias_activation.reference(x, bias, activation)
    assert found is x
    _expect(found, expected, dtype)
    np.testing.assert_array_equal(bias, kept)


@pytest.mark.parametrize("activation", [None, "gelu"])
def test_bias_activation_writes_inside_its_input_only(activation: str | None) -> None:
    whole = _random((10, 12), "float32")
    before = whole.copy()
    bias_activation.reference(whole[2:7, 3:9], np.ones(6, np.float32), activation)
    changed = whole != before
    assert changed[2:7, 3:9].all()
    changed[2:7, 3:9] = False
    assert not changed.any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_normalize(shape: tuple[int, int], dtype: str) -> None:
    x = _random(shape, dtype)
    kept = x.copy()
    found = normalize.reference(x, EPS)
    _expect(found, reference_encoder.normalize(x.astype(np.float64), EPS), dtype)
    np.testing.assert_array_equal(x, kept)


def test_normalize_divides_by_eps_at_least() -> None:
    x = np.array([[0, 0], [3e-14, 4e-14], [3e-10, 4e-10]], np.float32)
    expected = reference_encoder.normalize(x.astype(np.float64), 1e-12)
    np.testing.assert_allclose(normalize.reference(x, 1e-12), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [*SHAPES, (3, 0)], ids=str)
def test_rms_norm(shape: tuple[int, int], dtype: str) -> None:
    random = np.random.default_rng(0)
    x, gamma = (random.standard_normal(s).astype(dtype) for s in (shape, shape[1:]))
    x[1:2] = 0
    before = x.copy()
    with np.errstate(invalid="ignore"):
        found = rms_norm.reference(x, gamma, EPS)
    wide = x.astype(np.float64)
    mean = (wide * wide).sum(axis=1, keepdims=True) / max(1, shape[1])
    np.testing.assert_allclose(found, wide / np.sqrt(mean + EPS) * gamma, **TOLERANCE[dtype])
    np.testing.assert_array_equal(x, before)
    assert found.dtype == np.dtype(dtype)
