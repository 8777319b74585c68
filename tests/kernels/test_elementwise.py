"""Functions of one and two elements against ``math``, element by element in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gpudb import kernels
from gpudb.kernels.elementwise import MAPS, ZIPS, erf, functor, gelu, sigmoid, silu
from gpudb.plan.tensor import MAP_FUNCTIONS, ZIP_FUNCTIONS

ERF_BOUND = 5e-7
"""What the rational polynomial of erf is said to keep."""


def _gelu_tanh(v: float) -> float:
    return 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))


EXACT: dict[str, Callable[[float], float]] = {
    "abs": abs,
    "exp": math.exp,
    "gelu": lambda v: v * 0.5 * math.erfc(-v / math.sqrt(2)),
    "gelu_tanh": _gelu_tanh,
    "negative": lambda v: -v,
    "quick_gelu": lambda v: v / (1 + math.exp(-1.702 * v)),
    "relu": lambda v: max(v, 0.0),
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
    "silu": lambda v: v / (1 + math.exp(-v)),
    "sqrt": math.sqrt,
    "square": lambda v: v * v,
    "tanh": math.tanh,
}
PAIRS: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b,
    "divide": lambda a, b: a / b,
    "maximum": max,
    "minimum": min,
    "multiply": lambda a, b: a * b,
    "subtract": lambda a, b: a - b,
}


def test_every_function_of_a_plan_is_here() -> None:
    assert set(MAPS) == set(MAP_FUNCTIONS) == set(EXACT)
    assert set(ZIPS) == set(ZIP_FUNCTIONS) == set(PAIRS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(EXACT))
def test_maps_equal_their_formula(name: str, dtype: str) -> None:
    grid = np.linspace(0 if name == "sqrt" else -20, 20, 4001).astype(dtype)
    kept = grid.copy()
    expected = np.array([EXACT[name](float(v)) for v in grid])
    found = MAPS[name](grid)
    assert found.dtype == grid.dtype
    # float32: a few roundings of the result, and of values up to 20 × the bound of erf.
    # float64: gelu's 1 + erf(x) cancels below -5; what is lost is 1e-16 of x.
    tolerance = (
        {"rtol": 2e-6, "atol": 20 * ERF_BOUND}
        if dtype == "float32"
        else {"rtol": 1e-12, "atol": 1e-14}
    )
    np.testing.assert_allclose(found, expected, **tolerance)
    np.testing.assert_array_equal(grid, kept)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (1,), (3, 5, 7)])
@pytest.mark.parametrize("name", sorted(MAPS))
def test_maps_keep_the_shape(name: str, shape: tuple[int, ...]) -> None:
    x = np.full(shape, 0.25, np.float32)
    assert MAPS[name](x).shape == shape
    assert MAPS[name](x) is not x


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_zips_equal_their_formula(name: str) -> None:
    random = np.random.default_rng(3)
    a, b = random.standard_normal((2, 6, 5)).astype(np.float32)
    expected = [
        [PAIRS[name](float(u), float(v)) for u, v in zip(*r, strict=True)]
        for r in zip(a, b, strict=True)
    ]
    # One operation, rounded once.
    np.testing.assert_allclose(ZIPS[name](a, b), np.array(expected), rtol=1.2e-7)


def test_erf_stays_within_its_bound() -> None:
    grid = np.linspace(-6, 6, 200_001, dtype=np.float32)
    expected = np.array([math.erf(float(v)) for v in grid])
    error = np.abs(erf(grid) - expected)
    assert error.max() < ERF_BOUND


def test_erf_of_float64_is_the_exact_one() -> None:
    grid = np.linspace(-6, 6, 1001)
    np.testing.assert_array_equal(erf(grid), [math.erf(v) for v in grid])


def test_gelu_stays_within_the_bound_of_erf() -> None:
    grid = np.linspace(-12, 12, 100_001, dtype=np.float32)
    expected = np.array([EXACT["gelu"](float(v)) for v in grid])
    # erf is off by its bound, halved and multiplied by x; beside it a rounding of the result.
    allowed = np.abs(grid) * ERF_BOUND / 2 + np.abs(expected) * 2e-7
    assert (np.abs(gelu(grid) - expected) <= allowed).all()


@pytest.mark.parametrize(
    "name", ["gelu", "gelu_tanh", "quick_gelu", "relu", "sigmoid", "silu", "tanh"]
)
def test_extremes_saturate(name: str) -> None:
    x = np.array([-3e38, -1e30, -1e4, 1e4, 1e30, 3e38], np.float32)
    with np.errstate(over="ignore"):  # gelu_tanh cubes its argument; the backend ignores it too
        found = MAPS[name](x)
    low, high = {"sigmoid": (0, 1), "tanh": (-1, 1)}.get(name, (0, None))
    np.testing.assert_array_equal(found[:3], np.full(3, low, np.float32))
    np.testing.assert_array_equal(found[3:], x[3:] if high is None else np.ones(3))


def test_sigmoid_does_not_overflow() -> None:
    x = np.array([-np.inf, -1e4, -104, -88.8, 88.8, 104, 1e4, np.inf], np.float32)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        found = sigmoid(x)
    expected = [0 if v < -700 else 1 / (1 + math.exp(-v)) for v in x.tolist()]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-44)
    assert silu(x[1:-1])[0] == 0


@pytest.mark.parametrize("name", sorted(MAPS))
def test_nan_stays_nan(name: str) -> None:
    found = MAPS[name](np.array([np.nan, 1, np.nan], np.float32))
    assert np.isnan(found).tolist() == [True, False, True]


@pytest.mark.parametrize("name", ["gelu", "gelu_tanh", "quick_gelu", "silu"])
def test_infinity_is_as_in_the_formula(name: str) -> None:
    with np.errstate(invalid="ignore"):
        up, down = MAPS[name](np.array([np.inf, -np.inf], np.float32))
    assert up == np.inf
    assert np.isnan(down)  # -inf · 0


def test_minus_zero_keeps_its_sign() -> None:
    x = np.array([-0.0], np.float32)
    for name in ("gelu", "gelu_tanh", "quick_gelu", "silu", "tanh", "sqrt"):
        assert np.signbit(MAPS[name](x))[0], name


@pytest.mark.parametrize("name", [None, *MAPS, *ZIPS])
def test_every_function_has_a_struct_in_cuda(name: str | None) -> None:
    header = Path(kernels.__file__).with_name("elementwise.cuh").read_text(encoding="utf-8")
    assert f"\nstruct {functor(name)} {{\n" in header
