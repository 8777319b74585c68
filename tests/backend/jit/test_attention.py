"""Attention within sequences against float64, and against the reference where it is asked."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.backend.jit.backend import JitBackend
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.tile import COLUMNS, ROWS
from gpudb.backend.jit.kernels import attention as compiled_attention
from gpudb.kernels.attention import attention
from gpudb.types import HostArray
from tests import reference_encoder
from tests.backend.jit.factors import LAID_OUT, numbers
from tests.tiny_plans import offsets_of

# Sums of a few hundred products of normal numbers; scores may be off by 1e-5.
TOLERANCE = {"rtol": 2e-5, "atol": 5e-6}
LENGTHS = [
    *([], [0], [1], [0, 0], [1, 0, 1], [2, 3, 0, 5], [0, ROWS + 1, 0]),
    [LANES - 1, LANES, LANES + 1],
    [COLUMNS - 1, COLUMNS, COLUMNS + 1, 0, 1],
    [3 * COLUMNS + LANES + 1, 2],
    [512, 1],
]
WIDTHS = (1, 2, 3, LANES - 1, LANES, LANES + 1, COLUMNS - 1, COLUMNS, COLUMNS + 1, 64, 128)


def run(*args: Any) -> HostArray:
    """What is tested."""
    return JitBackend().call(attention, *args)


def in_float64(q: Any, k: Any, v: Any, offsets: Any, heads: int) -> HostArray:
    out = np.zeros(v.shape)
    for a, b in pairwise(offsets):
        wide = (x[a:b].astype(np.float64) for x in (q, k, v))
        out[a:b] = reference_encoder.attention(*wide, heads)
    return out


def packed(lengths: list[int], width: int, heads: int, seed: int = 0) -> tuple[HostArray, Any]:
    """Queries, keys and values side by side, and offsets."""
    return numbers(sum(lengths), 3 * heads * width, seed=seed), offsets_of(lengths)


def check(lengths: list[int], width: int, heads: int, seed: int = 0) -> None:
    merged, offsets = packed(lengths, width, heads, seed)
    q, k, v = np.split(merged, 3, axis=1)
    before = merged.copy()
    expected = in_float64(q, k, v, offsets, heads)
    found = run(q, k, v, offsets, heads, width**-0.5)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, **TOLERANCE)
    np.testing.assert_array_equal(merged, before)
    apart = [np.ascontiguousarray(x) for x in (q, k, v)]
    np.testing.assert_array_equal(run(*apart, offsets, heads, width**-0.5), found)


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_odd_lengths(lengths: list[int], heads: int) -> None:
    check(lengths, 5, heads)


@pytest.mark.parametrize("width", WIDTHS)
def test_odd_widths(width: int) -> None:
    check([2, LANES + 1, 0, COLUMNS + 1], width, 2)


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 40), max_size=5),
    st.integers(1, 40),
    st.integers(1, 4),
    st.integers(0, 99),
)
def test_any_shape(lengths: list[int], width: int, heads: int, seed: int) -> None:
    check(lengths, width, heads, seed)


def test_heads_without_columns() -> None:
    q = np.zeros((3, 0), np.float32)
    assert run(q, q, q, offsets_of([1, 2]), 2, 1.0).shape == (3, 0)


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("width", [1, LANES, COLUMNS + 3])
def test_the_bias_of_query_key_and_value(heads: int, width: int) -> None:
    merged, offsets = packed([2, 7, 0, 1, LANES], width, heads)
    bias = numbers(merged.shape[1], seed=1)
    expected = in_float64(*np.split(merged + bias, 3, axis=1), offsets, heads)
    qkv = np.split(merged, 3, axis=1)
    found = run(*qkv, offsets, heads, width**-0.5, False, None, bias)
    np.testing.assert_allclose(found, expected, **TOLERANCE)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (1, 2 * LANES + 1), (3, 201)], ids=str)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_numbers_by_distance(lengths: list[int], shape: tuple[int, int]) -> None:
    merged, offsets = packed(lengths, 5, 3)
    relative, bias = numbers(*shape, seed=1), numbers(merged.shape[1], seed=2)
    args = (*np.split(merged, 3, axis=1), offsets, 3, 5**-0.5, False, None, bias, relative)
    wide = [x.astype(np.float64) if x.dtype == np.float32 else x for x in args[:4]]
    expected = attention.reference(*wide, 3, 5**-0.5, bias=bias, relative=relative)
    np.testing.assert_allclose(run(*args), expected, **TOLERANCE)


@pytest.mark.parametrize("reach", [0, 1, LANES, 2 * COLUMNS])
def test_a_window(reach: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = [3, LANES + 1, 3 * COLUMNS + 1]
    merged, offsets = packed(lengths, 8, 2)
    q, k, v = np.split(merged, 3, axis=1)
    window = np.zeros((1, 2 * reach + 3), np.float32)
    window[0, [0, -1]] = -np.inf
    expected = attention.reference(q, k, v, offsets, 2, 0.4, relative=window)
    monkeypatch.setattr(compiled_attention, "reference", None)
    found = run(q, k, v, offsets, 2, 0.4, False, None, None, window)
    np.testing.assert_allclose(found, expected, **TOLERANCE)


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_large_scores(size: float) -> None:
    lengths = [1, 3, LANES + 2, COLUMNS + 1]
    merged, offsets = packed(lengths, 8, 2)
    q, k, v = np.split(merged, 3, axis=1)
    q *= np.float32(size / 10)
    k *= np.float32(10)
    expected = in_float64(q, k, v, offsets, 2)
    found = run(q, k, v, offsets, 2, 8**-0.5)
    # Scores of 1e4 are off by 1e-3 in float32: where two are close, weights are off by as much.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-2)


def test_scores_far_apart_choose_one_value() -> None:
    q, k = np.float32([[1], [-1]]), np.float32([[1e4], [-1e4]])
    v = np.float32([[3], [5]])
    np.testing.assert_array_equal(run(q, k, v, offsets_of([2]), 1, 1.0), v)


def test_equal_scores_give_the_mean() -> None:
    for n in (1, LANES - 1, LANES, COLUMNS + 1):
        k, v = np.ones((n, 2), np.float32), numbers(n, 2)
        for size in (0, 1e4, -1e4):
            found = run(k * np.float32(size), k, v, offsets_of([n]), 1, 1.0)
            np.testing.assert_allclose(found, [v.mean(axis=0)] * n, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", [0, 1, 2])
def test_what_is_not_finite_stays_in_its_sequence(part: int, odd: float) -> None:
    lengths = [3, LANES + 1, 0, COLUMNS + 2, 2]
    merged, offsets = packed(lengths, 6, 2)
    plain = run(*np.split(merged, 3, axis=1), offsets, 2, 0.4)
    for number, (first, last) in enumerate(pairwise(offsets)):
        if first == last:
            continue
        changed = merged.copy()
        # In the first column of the first head.
        changed[first + (last - first) // 2, part * 12] = odd
        q, k, v = np.split(changed, 3, axis=1)
        found = run(q, k, v, offsets, 2, 0.4)
        others = np.delete(np.arange(len(merged)), np.s_[first:last])
        np.testing.assert_array_equal(found[others], plain[others], f"sequence {number}")
        np.testing.assert_array_equal(found[:, 6:], plain[:, 6:])
        with np.errstate(all="ignore"):
            expected = attention.reference(q, k, v, offsets, 2, 0.4)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))


def test_rows_behind_the_last_sequence_are_zero() -> None:
    q, k, v = np.split(numbers(9, 12), 3, axis=1)
    offsets = offsets_of([2, 3])
    found = run(q, k, v, offsets, 2, 1.0)
    np.testing.assert_array_equal(found[5:], 0)
    np.testing.assert_allclose(found, attention.reference(q, k, v, offsets, 2, 1.0), **TOLERANCE)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32])
def test_offsets_of_any_integers(dtype: Any) -> None:
    (q, k, v), offsets = np.split(numbers(5, 12), 3, axis=1), offsets_of([2, 3])
    expected = run(q, k, v, offsets, 2, 1.0)
    wide = np.repeat(offsets.astype(dtype), 2)[::2]
    np.testing.assert_array_equal(run(q, k, v, wide, 2, 1.0), expected)


@pytest.mark.parametrize("layout", LAID_OUT)
def test_rows_may_lie_anywhere(layout: str) -> None:
    lengths = [3, LANES + 1]
    offsets = offsets_of(lengths)
    q, k, v = (LAID_OUT[layout](x) for x in np.split(numbers(sum(lengths), 24), 3, axis=1))
    expected = in_float64(q, k, v, offsets, 2)
    found = run(q, k, v, offsets, 2, 4**-0.5)
    assert found.dtype == v.dtype
    np.testing.assert_allclose(found, expected, **TOLERANCE)


def test_masks_are_the_references(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_attention, "run", None)
    (q, k, v), offsets = np.split(numbers(5, 12), 3, axis=1), offsets_of([2, 3])
    mask = np.array([True, False, True, True, False])
    relative = numbers(2, 3)
    for args in ((True,), (False, mask), (True, mask), (False, mask, None, relative)):
        found = run(q, k, v, offsets, 2, 1.0, *args)
        expected = attention.reference(q, k, v, offsets, 2, 1.0, *args)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("length", [1, LANES, ROWS + 1, COLUMNS + 1])
def test_a_sequence_does_not_depend_on_the_others(length: int) -> None:
    lengths = [5, length, 70]
    merged, offsets = packed(lengths, 9, 2)
    whole = run(*np.split(merged, 3, axis=1), offsets, 2, 0.3)
    rows = slice(5, 5 + length)
    alone = run(*np.split(merged[rows], 3, axis=1), offsets_of([length]), 2, 0.3)
    np.testing.assert_array_equal(alone, whole[rows])
