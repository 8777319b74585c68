"""Attention whose products are of bfloat16, as it is beside rounded weights."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.backend.jit.backend import JitBackend
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.tile import COLUMNS, ROWS
from gpudb.backend.jit.kernels.attention import attention
from gpudb.backend.jit.target import TARGET
from gpudb.kernels.attention import attention as kernel
from gpudb.types import HostArray
from tests.backend.jit.test_attention import LENGTHS, TOLERANCE, WIDTHS
from tests.tiny_plans import offsets_of

pytestmark = pytest.mark.skipif(not TARGET.bfloat16, reason="needs AVX512_BF16")

SCALE = 0.25 * math.log(2)
"""Scores are computed in bits: so their factor is a power of two, and rounds nothing."""
ROUNDING = 2.0**-8
"""Of a number in bfloat16, at most: half of its last of 8 bits."""


def eighths(*shape: int, seed: int = 0) -> HostArray:
    """Numbers that bfloat16 holds, and sums of two as well."""
    found = np.random.default_rng(seed).integers(-15, 16, shape) / 8
    return found.astype(np.float32)


def run(*args: Any) -> HostArray:
    """What is tested."""
    return attention(*args, halves=True)


def check(
    qkv: HostArray,
    lengths: list[int],
    heads: int,
    bias: HostArray | None = None,
    relative: HostArray | None = None,
) -> None:
    """Scores are exact but for sums: a context is off by the rounding of its weights."""
    offsets = offsets_of(lengths)
    q, k, v = np.split(qkv, 3, axis=1)
    wide = [x.astype(np.float64) for x in (q, k, v)]
    more = {"bias": bias, "relative": relative}
    expected = kernel.reference(*wide, offsets, heads, SCALE, **more)
    if bias is not None:
        wide[2] = wide[2] + bias[-v.shape[1] :]
        more["bias"] = np.concatenate([bias[: -v.shape[1]], np.zeros(v.shape[1], np.float32)])
    sizes = kernel.reference(wide[0], wide[1], np.abs(wide[2]), offsets, heads, SCALE, **more)
    found = run(q, k, v, offsets, heads, SCALE, False, None, bias, relative)
    assert found.dtype == np.float32
    allowed = ROUNDING * sizes + TOLERANCE["atol"] + TOLERANCE["rtol"] * np.abs(expected)
    assert (np.abs(found - expected) <= allowed).all()


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_odd_lengths(lengths: list[int], heads: int) -> None:
    check(eighths(sum(lengths), 3 * heads * 5), lengths, heads)


@pytest.mark.parametrize("width", WIDTHS)
def test_odd_widths(width: int) -> None:
    lengths = [1, ROWS + 1, 0, COLUMNS + 3]
    check(eighths(sum(lengths), 3 * 2 * width), lengths, 2)


@given(
    lengths=st.lists(st.integers(0, 2 * COLUMNS), min_size=1, max_size=5),
    width=st.integers(1, COLUMNS + 2),
    heads=st.integers(1, 3),
    seed=st.integers(0, 9),
)
@settings(max_examples=60)
def test_any_shape(lengths: list[int], width: int, heads: int, seed: int) -> None:
    check(eighths(sum(lengths), 3 * heads * width, seed=seed), lengths, heads)


@pytest.mark.parametrize("width", [1, 8, LANES + 3])
def test_a_bias_and_numbers_by_distance(width: int) -> None:
    lengths = [2, 7, 0, 1, LANES, COLUMNS + 1]
    qkv = eighths(sum(lengths), 3 * 2 * width)
    check(qkv, lengths, 2, eighths(qkv.shape[1], seed=1))
    check(qkv, lengths, 2, eighths(qkv.shape[1], seed=1), eighths(2, 5, seed=2))


def test_both_factors_of_both_products_are_rounded() -> None:
    """Less than half of the last bit is lost, wherever it is."""
    some, lost = np.float32([[1.0], [2.0]]), np.float32(1 + 2**-10)
    offsets = offsets_of([2])
    expected = run(some, some, some, offsets, 1, 1.0)
    for place in range(3):
        changed = [some * lost if place == i else some for i in range(3)]
        np.testing.assert_array_equal(run(*changed, offsets, 1, 1.0), expected)
        assert (attention(*changed, offsets, 1, 1.0) != expected).any()


def test_a_sequence_does_not_depend_on_the_others() -> None:
    lengths = [3, LANES + 1, 0, COLUMNS + 2, 2]
    qkv, offsets = eighths(sum(lengths), 36), offsets_of(lengths)
    together = run(*np.split(qkv, 3, axis=1), offsets, 2, 0.25)
    for first, last in pairwise(offsets):
        alone = qkv[first:last]
        found = run(*np.split(alone, 3, axis=1), offsets_of([last - first]), 2, 0.25)
        np.testing.assert_array_equal(found, together[first:last])


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", [0, 1, 2])
def test_what_is_not_finite_stays_in_its_sequence(part: int, odd: float) -> None:
    lengths = [3, LANES + 1, 2]
    qkv, offsets = eighths(sum(lengths), 36), offsets_of(lengths)
    plain = run(*np.split(qkv, 3, axis=1), offsets, 2, 0.25)
    changed = qkv.copy()
    changed[4, part * 12] = odd  # in the first column of the first head
    found = run(*np.split(changed, 3, axis=1), offsets, 2, 0.25)
    others = np.delete(np.arange(len(qkv)), np.s_[3 : LANES + 4])
    np.testing.assert_array_equal(found[others], plain[others])
    np.testing.assert_array_equal(found[:, 6:], plain[:, 6:])
    with np.errstate(all="ignore"):
        expected = kernel.reference(*np.split(changed, 3, axis=1), offsets, 2, 0.25)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_it_is_what_backends_with_rounded_weights_compute(precision: str) -> None:
    if precision == "int8" and not TARGET.int8:
        pytest.skip("needs AVX512_VNNI")
    lengths = [9, LANES]
    q, k, v = np.split(np.float32(1.001) * eighths(sum(lengths), 36), 3, axis=1)
    found = JitBackend(precision).call(kernel, q, k, v, offsets_of(lengths), 2, 0.25)
    expected = attention(q, k, v, offsets_of(lengths), 2, 0.25, halves=precision != "float32")
    np.testing.assert_array_equal(found, expected)
    rounded = run(q, k, v, offsets_of(lengths), 2, 0.25)
    assert np.array_equal(found, rounded) == (precision != "float32")
