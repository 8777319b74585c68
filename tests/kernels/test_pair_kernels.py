"""Kernels over pairs and grids of blocks, against loops over blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from math import ceil
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.kernels.cast import cast
from gpudb.kernels.elementwise import ZIPS
from gpudb.kernels.filter_elements import filter_elements
from gpudb.kernels.permute_axes import permute_axes
from gpudb.kernels.reduce_grid import reduce_grid
from gpudb.kernels.rows import PIECE_NBYTES
from gpudb.kernels.take_or_zero import take_or_zero
from gpudb.kernels.zip_pairs import zip_pairs
from gpudb.keys import COMPARE
from tests.tiny_plans import cut


def _random(shape: tuple[int, ...], dtype: str = "float64", seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@st.composite
def grids(draw: st.DrawFn) -> tuple[Any, ...]:
    axes = draw(st.integers(1, 3))
    shape = tuple(draw(st.integers(0, 6)) for _ in range(axes))
    block = tuple(draw(st.integers(1, 4)) for _ in range(axes))
    return shape, block, tuple(sorted(draw(st.sets(st.integers(0, axes - 1)))))


@settings(max_examples=100)
@given(grids(), st.sampled_from(["max", "min", "argmax"]))
def test_reduce_grid(case: tuple[Any, ...], fn: str) -> None:
    shape, block, axes = case
    axes = axes[:1] or (0,) if fn == "argmax" else axes
    grid = tuple(ceil(e / b) for e, b in zip(shape, block, strict=True))
    x = _random(shape) - 3  # padding, which is 0, would win
    blocks = cut(x, block)
    dropped = tuple((axis, shape[axis]) for axis in axes)
    found = reduce_grid.reference(blocks, grid, dropped, fn)
    assert found.shape == reduce_grid.shape(blocks, grid, dropped, fn)
    expected = np.zeros_like(found, dtype=np.float64)
    keys = [range(1) if axis in axes else range(n) for axis, n in enumerate(grid)]
    for number, key in enumerate(product(*keys)):
        lines = [range(n) if axis in axes else [key[axis]] for axis, n in enumerate(grid)]
        for place in np.ndindex(*block):
            values = _values(x, block, place, product(*lines))
            if values:
                expected[(number, *place)] = BEST[fn](values)
    np.testing.assert_array_equal(found, expected)


BEST: dict[str, Callable[[list[float]], float]] = {
    "max": max,
    "min": min,
    "argmax": lambda values: values.index(max(values)),
}


def _values(x: Any, block: Any, place: Any, keys: Iterable[Any]) -> list[float]:
    """The elements at one place of the blocks with these keys, without padding."""
    found = []
    for key in keys:
        at = tuple(k * b + p for k, b, p in zip(key, block, place, strict=True))
        if all(p < e for p, e in zip(at, x.shape, strict=True)):
            found.append(float(x[at]))
    return found


@pytest.mark.parametrize("dtypes", [("float32", "float64"), ("float64", "float32")])
@pytest.mark.parametrize("fn", sorted(ZIPS))
@pytest.mark.parametrize("wide", [3, PIECE_NBYTES // 16])
def test_zip_pairs(fn: str, wide: int, dtypes: tuple[str, str]) -> None:
    x, y = _random((3, 2, 1, wide), dtypes[0]), np.abs(_random((4, 5, 2), dtypes[1], 1)) + 1
    rows_x, rows_y = np.array([2, -1, 0, 0, 1]), np.array([0, 3, -1, 3, 2])
    if fn == "divide":
        rows_y = np.maximum(rows_y, 0)
    found = zip_pairs.reference(x, y, rows_x, rows_y, (1, 0, None), fn)
    assert found.dtype == np.float64
    for result, a, b in zip(found, rows_x, rows_y, strict=True):
        left = x[a] if a >= 0 else np.zeros_like(x[0])
        right = y[b] if b >= 0 else np.zeros_like(y[0])
        np.testing.assert_array_equal(result, ZIPS[fn](left, right.T[:, :, None]))


@given(st.lists(st.integers(-1, 4)))
def test_take_or_zero(rows: list[int]) -> None:
    x = _random((5, 2, 3))
    found = take_or_zero.reference(x, np.array(rows, np.int64))
    assert found.shape == (len(rows), 2, 3)
    for block, row in zip(found, rows, strict=True):
        np.testing.assert_array_equal(block, x[row] if row >= 0 else 0 * x[0])


def test_take_or_zero_of_large_blocks() -> None:
    x = _random((3, PIECE_NBYTES // 4))
    found = take_or_zero.reference(x, np.array([2, -1, 0]))
    np.testing.assert_array_equal(found, [x[2], 0 * x[0], x[0]])


@pytest.mark.parametrize("compare", COMPARE)
def test_filter_elements(compare: str) -> None:
    x = np.array([[-1, 0.5, np.nan], [np.inf, -0.0, 2]])
    kept = x.copy()
    expected = [[v if COMPARE[compare](v, 0.5) else 0 for v in row] for row in x]
    np.testing.assert_array_equal(filter_elements.reference(x, compare, 0.5), expected)
    np.testing.assert_array_equal(x, kept)


def test_cast_cuts_off_and_keeps_what_fits() -> None:
    x = np.array([1.9, -1.9, 0.1, -0.0])
    assert cast.reference(x, "int32").tolist() == [1, -1, 0, 0]
    assert cast.reference(x, "float64") is x


def test_permute_axes_is_contiguous() -> None:
    x = _random((2, 3, 4))
    found = permute_axes.reference(x, (0, 2, 1))
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found[1, 2], x[1, :, 2])
