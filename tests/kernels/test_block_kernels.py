"""Kernels over blocks: cutting a tensor again, and sums of neighbouring blocks."""

from __future__ import annotations

from math import ceil, prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.kernels.reblock import assemble, reblock
from gpudb.kernels.reblock import cut as kernel_cut
from gpudb.kernels.recut import recut, touched
from gpudb.kernels.segment_sum import segment_sum
from tests.tiny_plans import cut


@st.composite
def tensors(draw: st.DrawFn) -> tuple[Any, tuple[int, ...], tuple[int, ...]]:
    axes = draw(st.integers(1, 3))
    shape = tuple(draw(st.integers(0, 7)) for _ in range(axes))
    old, new = (tuple(draw(st.integers(1, 9)) for _ in range(axes)) for _ in range(2))
    dense = np.arange(1, prod(shape) + 1, dtype=np.float32).reshape(shape)
    return dense, old, new


@settings(max_examples=150)
@given(tensors())
def test_reblock_any_to_any(case: tuple[Any, tuple[int, ...], tuple[int, ...]]) -> None:
    dense, old, new = case
    blocks = cut(dense, old)
    kept = blocks.copy()
    found = reblock.reference(blocks, dense.shape, old, new)
    np.testing.assert_array_equal(found, cut(dense, new))  # padding is zero there
    assert found.shape == reblock.shape(blocks, dense.shape, old, new)
    assert found.flags.c_contiguous
    assert found.shape[0] == prod(ceil(e / b) for e, b in zip(dense.shape, new, strict=True))
    np.testing.assert_array_equal(assemble(found, dense.shape, new), dense)
    np.testing.assert_array_equal(kernel_cut(dense, old), blocks)
    np.testing.assert_array_equal(blocks, kept)


@settings(max_examples=150)
@given(tensors(), st.data())
def test_recut_is_reblock_of_the_chosen_blocks(
    case: tuple[Any, tuple[int, ...], tuple[int, ...]], data: st.DataObject
) -> None:
    dense, old, new = case
    old_keys, new_keys = (
        np.argwhere(np.ones([ceil(e / b) for e, b in zip(dense.shape, block, strict=True)]))
        for block in (old, new)
    )
    rows = [row for row in range(len(new_keys)) if data.draw(st.booleans())]
    wanted = {k for row in rows for k in touched(new_keys[row], dense.shape, old, new)}
    there = [row for row, key in enumerate(old_keys.tolist()) if tuple(key) in wanted]
    blocks, chosen = cut(dense, old)[there], new_keys[rows]
    args = (blocks, old_keys[there], chosen, dense.shape, old, new)
    np.testing.assert_array_equal(recut.reference(*args), cut(dense, new)[rows])
    assert recut.shape(*args) == (len(rows), *new)


@pytest.mark.parametrize("dtype", ["int8", "int32", "float64"])
def test_reblock_keeps_the_dtype(dtype: str) -> None:
    dense = np.arange(20, dtype=dtype).reshape(4, 5)
    found = reblock.reference(cut(dense, (3, 2)), (4, 5), (3, 2), (2, 3))
    assert found.dtype == np.dtype(dtype)


def test_a_named_extent_of_zero_is_one_empty_block() -> None:
    empty = np.zeros((1, 0, 6), np.float32)
    found = reblock.reference(empty, (0, 6), (0, 6), (0, 4))
    assert found.shape == reblock.shape(empty, (0, 6), (0, 6), (0, 4)) == (2, 0, 4)
    assert reblock.reference(found, (0, 6), (0, 4), (0, 6)).shape == (1, 0, 6)


@given(st.lists(st.integers(1, 4), max_size=6), st.integers(0, 3))
def test_segment_sum(counts: list[int], width: int) -> None:
    blocks = np.random.default_rng(1).standard_normal((sum(counts), 2, width)).astype(np.float32)
    kept = blocks.copy()
    starts = np.cumsum([0, *counts])[:-1]
    found = segment_sum.reference(blocks, starts)
    expected = np.zeros((len(counts), 2, width))
    for group, (start, count) in enumerate(zip(starts, counts, strict=True)):
        for block in blocks[start : start + count]:
            expected[group] += block
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert found.shape == segment_sum.shape(blocks, starts)
    np.testing.assert_array_equal(blocks, kept)


def test_segment_sum_adds_in_order() -> None:
    # In any other order the small number would survive.
    blocks = np.array([1e8, 1.0, -1e8], np.float32).reshape(3, 1)
    assert segment_sum.reference(blocks, np.array([0])).tolist() == [[0.0]]
    assert np.isnan(segment_sum.reference(blocks * np.float32(np.nan), np.array([0, 1]))).all()
