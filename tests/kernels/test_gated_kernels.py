"""The kernels of modern encoders: rotary positions against complex numbers, gates against two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpudb.kernels.elementwise import MAPS
from gpudb.kernels.gated import gated
from gpudb.kernels.rotary import frequencies, rotary
from gpudb.kernels.rows import PIECE_NBYTES

# A few roundings of float32 of numbers of about 1; the angle itself is rounded.
TOLERANCE = {"rtol": 1e-6, "atol": 2e-6}


def numbers(*shape: int, dtype: str = "float32", seed: int = 0) -> Any:
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(dtype)


def turned(x: Any, positions: Any, heads: int, base: float, part: int, interleaved: bool) -> Any:
    """In float64: the pairs of a head are complex numbers, multiplied with e^(i·angle)."""
    out = x.astype(np.float64).reshape(len(x), heads, x.shape[1] // heads)
    order = np.arange(part).reshape(-1, 2) if interleaved else np.arange(part).reshape(2, -1).T
    angles = np.outer(positions, base ** -(np.arange(0, part, 2) / part))
    pairs = out[..., order[:, 0]] + 1j * out[..., order[:, 1]]
    pairs = pairs * np.exp(1j * angles)[:, None]
    out[..., order[:, 0]], out[..., order[:, 1]] = pairs.real, pairs.imag
    return out.reshape(x.shape)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize(
    ("rows", "heads", "width", "part"),
    [(0, 1, 2, 2), (1, 1, 2, 2), (7, 3, 8, 8), (5, 2, 9, 4), (3, 1, 64, 64), (4, 5, 3, 2)],
)
def test_rotary(
    rows: int, heads: int, width: int, part: int, interleaved: bool, dtype: str
) -> None:
    x = numbers(rows, heads * width, dtype=dtype)
    before = x.copy()
    positions = np.arange(rows, dtype=np.int32)[::-1] * 3
    args = (positions, heads, 10_000.0, part, interleaved)
    found = rotary.reference(x, *args)
    assert found.dtype == x.dtype
    np.testing.assert_allclose(found, turned(x, *args), **TOLERANCE)
    np.testing.assert_array_equal(x, before)


def test_rotary_takes_rows_in_pieces() -> None:
    rows = 3 * PIECE_NBYTES // (4 * 64) + 5
    x, positions = numbers(rows, 64), np.arange(rows) % 100
    args = (positions, 4, 10_000.0, 16, False)
    # An angle of 100 is rounded by 4e-6.
    np.testing.assert_allclose(rotary.reference(x, *args), turned(x, *args), atol=1e-5)


def test_rotary_of_columns_that_lie_apart() -> None:
    merged = numbers(6, 24)
    args = (np.arange(6), 2, 100.0, 4, False)
    found = rotary.reference(merged[:, 4:12], *args)
    np.testing.assert_array_equal(found, rotary.reference(merged[:, 4:12].copy(), *args))


def test_position_zero_turns_nothing_and_nothing_leaves_its_pair() -> None:
    x = numbers(4, 8)
    x[1, 5] = np.nan
    x[2, 0] = np.inf
    with np.errstate(invalid="ignore"):
        at_zero = rotary.reference(x, np.zeros(4, int), 2, 1e4, 2, False)
        moved = rotary.reference(x, np.arange(4), 2, 1e4, 2, False)
    np.testing.assert_array_equal(at_zero[[0, 3]], x[[0, 3]])
    assert np.argwhere(np.isnan(moved)).tolist() == [[1, 4], [1, 5]]
    assert np.argwhere(np.isinf(moved)).tolist() == [[2, 0], [2, 1]]


@pytest.mark.parametrize("base", [1.0, 1000.0, 10_000.0, 160_000.0])
@pytest.mark.parametrize("part", [2, 32, 48, 64, 256])
def test_frequencies_fall_from_one(base: float, part: int) -> None:
    found = frequencies(base, part)
    assert (found.dtype, found.shape) == (np.float32, (part // 2,))
    assert found[0] == 1
    expected = base ** -(np.arange(0, part, 2) / part)
    # The exponent is rounded to float32 before the power is taken: log(base) makes more of that.
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("fn", MAPS)
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (5, 7), (900, 200)], ids=str)
def test_gated(shape: tuple[int, int], fn: str) -> None:
    x, y = numbers(*shape), numbers(*shape, seed=1)
    kept = x.copy(), y.copy()
    with np.errstate(invalid="ignore"):
        found = gated.reference(x, y, fn)
        np.testing.assert_array_equal(found, MAPS[fn](x) * y)
    assert found.dtype == np.float32
    for array, before in zip((x, y), kept, strict=True):
        np.testing.assert_array_equal(array, before)
