"""Operations across the lanes of a vector."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpudb.backend.jit.compiled.arrays import at
from gpudb.backend.jit.compiled.lanes import first_lanes, lanes_largest, lanes_sum, transpose
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.compiled.vectors import load, store
from gpudb.types import HostArray
from tests.backend.jit.lanewise import EDGES

CANARY = np.float32(-77)


@part
def _sum(x: Any) -> Any:
    return lanes_sum(load(at(x, (0,))))


@part
def _largest(x: Any) -> Any:
    return lanes_largest(load(at(x, (0,))))


@part
def _first(x: Any, count: int, other: Any, out: Any) -> None:
    store(at(out, (0,)), first_lanes(load(at(x, (0,))), count, other))


@part
def _transpose(x: Any, out: Any) -> None:
    transpose(at(x, (0, 0)), x.strides[0], at(out, (0, 0)), out.strides[0])


def _numbers(*shape: int, seed: int = 0) -> HostArray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _halves_added(x: HostArray) -> np.float32:
    while len(x) > 1:
        x = x[: len(x) // 2] + x[len(x) // 2 :]
    return np.float32(x[0])


@pytest.mark.parametrize("seed", range(20))
def test_a_sum_adds_halves(seed: int) -> None:
    x = _numbers(LANES, seed=seed) * np.float32(10) ** np.arange(LANES, dtype=np.float32)
    assert _sum(x) == _halves_added(x)


@pytest.mark.parametrize("lane", range(LANES))
def test_each_lane_is_in_the_sum(lane: int) -> None:
    for odd in (3.5, np.inf, np.nan):
        x = np.zeros(LANES, np.float32)
        x[lane] = odd
        np.testing.assert_equal(_sum(x), np.float32(odd))


@pytest.mark.parametrize("lane", range(LANES))
def test_the_largest_may_be_in_any_lane(lane: int) -> None:
    for least, most in ((-np.inf, -3.0), (-4.0, np.inf), (-np.inf, -np.inf), (-9.0, -0.5)):
        x = np.full(LANES, least, np.float32)
        x[lane] = most
        assert _largest(x) == np.float32(most)


@pytest.mark.parametrize("other", EDGES)
def test_the_first_lanes(other: np.float32) -> None:
    x = _numbers(LANES)
    for count in (*range(-1, LANES + 2), 1000):
        out = np.empty(LANES, np.float32)
        _first(x, count, other, out)
        kept = min(max(0, count), LANES)
        np.testing.assert_array_equal(out, [*x[:kept], *[other] * (LANES - kept)])


@pytest.mark.parametrize(("before", "after"), [(0, 0), (1, 3), (5, 0), (0, 7)])
def test_rows_become_columns_and_nothing_else_is_touched(before: int, after: int) -> None:
    x = _numbers(LANES + 1, LANES + before)[1:, before:]
    x[0, 1] = np.nan
    out = np.full((LANES + 2, LANES + after + 1), CANARY)
    _transpose(x, out[1:-1, : LANES + after])
    expected = np.full(out.shape, CANARY)
    expected[1:-1, :LANES] = x.T
    np.testing.assert_array_equal(out, expected)
