"""Cutting a tensor again: the same elements, and what is missing stays missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudb.plan.rules import NEEDED, RELATIONAL
from gpudb.plan.tensor import Matmul, Reblock
from gpudb.types import HostArray
from tests import backend_under_test
from tests.tiny_plans import Arrays, compute, cut, prepared


@st.composite
def sparse_tensors(draw: st.DrawFn) -> tuple[HostArray, tuple[int, ...], tuple[int, ...]]:
    """An array that lacks blocks, its blocks, and others."""
    shape = tuple(draw(st.lists(st.integers(0, 7), min_size=1, max_size=3)))
    old, new = (tuple(draw(st.integers(1, 8)) for _ in shape) for _ in "ab")
    values = np.arange(1.0, np.prod(shape) + 1).reshape(shape)
    for block in np.ndindex(*(-(-e // b) for e, b in zip(shape, old, strict=True))):
        if draw(st.booleans()):
            values[tuple(slice(k * b, (k + 1) * b) for k, b in zip(block, old, strict=True))] = 0
    return values, old, new


@given(sparse_tensors())
def test_blocks_that_see_no_stored_block_are_missing(case) -> None:
    values, old, new = case
    arrays = Arrays()
    x = arrays.scan("x", values, old, sparse=True)
    np.testing.assert_array_equal(compute(Reblock(x, new), arrays, NEEDED), values)
    result = prepared(Reblock(x, new), arrays, NEEDED).run({}, {})
    blocks = cut(values, new)
    # No element inside the tensor is zero but where a whole stored block is.
    there = blocks.any(axis=tuple(range(1, blocks.ndim)))
    on_host = backend_under_test.backend().to_host(result.data)
    np.testing.assert_array_equal(on_host, blocks[there])
    grid = tuple(-(-e // b) for e, b in zip(values.shape, new, strict=True))
    expected = np.argwhere(there.reshape(grid))
    np.testing.assert_array_equal(result.keys, expected.reshape(-1, values.ndim))


@pytest.mark.parametrize("present", [0, 1, 3, 8])
def test_a_product_of_panels_skips_the_missing_ones(present: int) -> None:
    arrays = Arrays()
    random = np.random.default_rng(0)
    x, y = random.standard_normal((2, 16, 16))
    x[2 * present :] = 0
    plan = Matmul(
        arrays.scan("x", x, (2, 16), sparse=True), arrays.scan("y", y, (4, 16), sparse=True)
    )
    np.testing.assert_allclose(compute(plan, arrays, RELATIONAL), x @ y, atol=1e-12)
    pairing = prepared(plan, arrays, RELATIONAL).joined[-1].pairing
    assert (pairing.pairs, pairing.skipped) == (present * 4, (8 - present) * 4)
