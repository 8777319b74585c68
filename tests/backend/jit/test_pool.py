"""One row per sequence against float64, and against the reference for odd numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpudb.backend.jit.backend import JitBackend
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.kernels.pool import pool
from gpudb.plan.sequence import POOLINGS as KINDS
from gpudb.types import HostArray
from tests import reference_encoder
from tests.backend.jit.factors import LAID_OUT, numbers
from tests.tiny_plans import offsets_of

LENGTHS = [[], [0], [1], [0, 0, 3], [5, 1, 0, 70, 2], [512]]
WIDTHS = (1, LANES - 1, LANES, LANES + 1, 3 * LANES + 2)
TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}


def run(*args: Any) -> HostArray:
    """What is tested."""
    return JitBackend().call(pool, *args)


def in_float64(x: HostArray, offsets: Any, kind: str, eps: float | None) -> HostArray:
    out = reference_encoder.pool(x.astype(np.float64), offsets, kind)
    if eps is None:
        return out
    return out / np.maximum(np.sqrt((out * out).sum(axis=1, keepdims=True)), eps)


@pytest.mark.parametrize("eps", [None, 1e-12])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_odd_shapes(lengths: list[int], kind: str, eps: float | None) -> None:
    for width in WIDTHS:
        x, offsets = numbers(sum(lengths), width), offsets_of(lengths)
        before = x.copy()
        found = run(x, offsets, kind, eps)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, in_float64(x, offsets, kind, eps), **TOLERANCE)
        np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("eps", [None, 1e-12])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", range(4))
def test_what_is_not_finite_is_what_the_reference_makes_of_it(
    place: int, odd: float, kind: str, eps: float | None
) -> None:
    x, offsets = numbers(9, LANES + 2), offsets_of([2, 4, 0, 3])
    plain = run(x, offsets, kind, eps)
    x[2 + place, LANES] = odd
    found = run(x, offsets, kind, eps)
    with np.errstate(all="ignore"):
        expected = pool.reference(x, offsets, kind, eps)
    np.testing.assert_allclose(found, expected, **TOLERANCE)
    np.testing.assert_array_equal(found[[0, 2, 3]], plain[[0, 2, 3]])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1e-30, 1e-10, 1e25, 1e37])
def test_huge_and_tiny_rows_are_normalised(size: float, kind: str) -> None:
    x, offsets = numbers(9, LANES + 2) * np.float32(size), offsets_of([2, 4, 0, 3])
    found, expected = run(x, offsets, kind, 1e-12), pool.reference(x, offsets, kind, 1e-12)
    np.testing.assert_allclose(found, expected, **TOLERANCE)


@pytest.mark.parametrize("eps", [0.0, 1e-50, 1e-12, 2.0])
def test_the_least_norm(eps: float) -> None:
    x, offsets = np.float32([[0, 0], [0.5, 0.5]]), offsets_of([1, 1])
    with np.errstate(invalid="ignore"):
        expected = pool.reference(x, offsets, "mean", eps)
    np.testing.assert_allclose(run(x, offsets, "mean", eps), expected, rtol=1e-6)


@pytest.mark.parametrize("layout", LAID_OUT)
@pytest.mark.parametrize("kind", KINDS)
def test_rows_may_lie_anywhere(kind: str, layout: str) -> None:
    x, offsets = LAID_OUT[layout](numbers(9, LANES + 2)), offsets_of([2, 4, 0, 3])
    found = run(x, offsets, kind, None)
    assert found.dtype == x.dtype
    np.testing.assert_allclose(found, in_float64(x, offsets, kind, None), **TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_does_not_depend_on_the_others(kind: str) -> None:
    x = numbers(60, 20)
    whole = run(x, offsets_of([5, 50, 5]), kind, 1e-12)
    np.testing.assert_array_equal(run(x[5:55], offsets_of([50]), kind, 1e-12)[0], whole[1])
