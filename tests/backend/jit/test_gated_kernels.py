"""Rotary positions and gates against their references, in rows of any width that lie anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpudb.backend.jit.activations import ACTIVATIONS
from gpudb.backend.jit.backend import JitBackend
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.kernels.gated import gated
from gpudb.kernels.rotary import rotary
from gpudb.types import HostArray
from tests.backend.jit.factors import LAID_OUT, numbers

TOLERANCE = {"rtol": 1e-5, "atol": 2e-6}
FUNCTIONS = [fn for fn in ACTIVATIONS if fn]


def run(kernel: Any, *args: Any) -> HostArray:
    """What is tested."""
    return JitBackend().call(kernel, *args)


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("rest", [0, 1, LANES + 1])
@pytest.mark.parametrize("half", [1, LANES - 1, LANES, 2 * LANES + 3])
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_rotary(rows: int, half: int, rest: int, interleaved: bool) -> None:
    x = numbers(rows, 3 * (2 * half + rest))
    before = x.copy()
    args = (np.arange(rows, dtype=np.int32) * 7, 3, 1000.0, 2 * half, interleaved)
    found = run(rotary, x, *args)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, rotary.reference(x, *args), **TOLERANCE)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("fn", FUNCTIONS)
@pytest.mark.parametrize("width", [1, LANES - 1, LANES, 3 * LANES + 5])
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_gated(rows: int, width: int, fn: str) -> None:
    x, y = numbers(rows, width), numbers(rows, width, seed=1)
    found = run(gated, x, y, fn)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, gated.reference(x, y, fn), **TOLERANCE)


@pytest.mark.parametrize("layout", LAID_OUT)
def test_rows_may_lie_anywhere(layout: str) -> None:
    x, y = (LAID_OUT[layout](numbers(5, 2 * LANES + 4, seed=seed)) for seed in (0, 1))
    for kernel, args in (
        (rotary, (x, np.arange(5), 2, 1000.0, LANES, False)),
        (gated, (x, y, "silu")),
    ):
        found = run(kernel, *args)
        assert found.dtype == x.dtype
        np.testing.assert_allclose(found, kernel.reference(*args), **TOLERANCE)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_where_it_is(odd: float) -> None:
    x, y = numbers(3, 2 * LANES + 6), numbers(3, 2 * LANES + 6, seed=1)
    x[1, 2] = odd
    for kernel, args in (
        (rotary, (x, np.arange(3), 1, 1000.0, 2 * LANES, False)),
        *((gated, (x, y, fn)) for fn in FUNCTIONS),
    ):
        with np.errstate(invalid="ignore"):
            expected = kernel.reference(*args)
        np.testing.assert_allclose(run(kernel, *args), expected, **TOLERANCE)
