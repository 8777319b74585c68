"""Functions of vectors against float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gpudb.backend.jit.activations import ACTIVATIONS
from gpudb.backend.jit.compiled.activations import activate
from gpudb.backend.jit.compiled.functions import erf, exp2, first_positive
from gpudb.backend.jit.compiled.part import part
from gpudb.kernels.elementwise import MAPS
from gpudb.types import HostArray
from tests.backend.jit.lanewise import DENORMAL, EDGES, TINY, lanewise, pairs, units_off

EXP2_UNITS = 2
"""What ``exp2`` promises, in units of the last place."""
ERF_OFF = 5e-7
ACTIVATION_OFF = 1e-6
"""Of values of up to 8, or relative to larger ones."""


def _all_near(*points: float) -> HostArray:
    """Every float32 for a few hundred steps either side of points."""
    bits = np.float32(points).view(np.uint32)[:, None] + np.arange(-300, 301)
    return bits.astype(np.uint32).view(np.float32).ravel()


def test_exp2_is_within_two_units() -> None:
    spread = -np.geomspace(1e-30, 126, 200_000).astype(np.float32)
    halves = np.arange(1, 252) * -0.5
    x = np.concatenate([spread, _all_near(*halves)])
    x = x[x >= -126]
    assert units_off(lanewise(exp2, x), np.exp2(x.astype(np.float64))).max() <= EXP2_UNITS


def test_exp2_of_whole_numbers_is_exact() -> None:
    x = -np.arange(127, dtype=np.float32)
    np.testing.assert_array_equal(lanewise(exp2, x), 2.0**x)


def test_exp2_of_little_is_denormal_or_zero() -> None:
    x = np.linspace(-160, -126, 100_000, dtype=np.float32)
    found, wide = lanewise(exp2, x), np.exp2(x.astype(np.float64))
    # Without an instruction that scales, 0 begins in the middle of denormal results.
    assert (np.abs(found - wide) <= 4 * DENORMAL)[found > 0].all()
    assert (wide[found == 0] < TINY).all()
    assert (found[x < -151] == 0).all()


def test_exp2_of_edges() -> None:
    x = np.float32([0, -0.0, -np.inf, np.nan, -1e30, -152, -1e-45, -TINY])
    np.testing.assert_array_equal(lanewise(exp2, x), [1, 1, 0, np.nan, 0, 0, 1, 1])


def test_exp2_never_rises_above_one() -> None:
    x = -np.geomspace(1e-12, 1, 100_000).astype(np.float32)
    assert lanewise(exp2, x).max() <= 1


def test_erf() -> None:
    x = np.concatenate([np.linspace(-6, 6, 200_001), _all_near(-4, 4, 1e-30)]).astype(np.float32)
    expected = np.array([math.erf(a) for a in x])
    assert np.abs(lanewise(erf, x) - expected).max() <= ERF_OFF


def test_erf_of_edges() -> None:
    x = np.float32([0, -0.0, np.inf, -np.inf, np.nan, 1e38, -1e38])
    expected = [0, 0, 1, -1, np.nan, 1, -1]
    np.testing.assert_allclose(lanewise(erf, x), expected, rtol=0, atol=ERF_OFF)


def test_erf_is_odd() -> None:
    x = np.linspace(0, 5, 1000, dtype=np.float32)
    np.testing.assert_array_equal(lanewise(erf, x), -lanewise(erf, -x))


def test_first_positive() -> None:
    x, y = pairs()
    z = np.roll(y, 1)
    np.testing.assert_array_equal(lanewise(first_positive, x, y, z), np.where(x >= 0, y, z))


def _number(activation: int) -> Any:
    return part(lambda x: activate(x, activation))


ACTIVATE = {name: _number(number) for name, number in ACTIVATIONS.items()}


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name])
def test_an_activation_is_the_reference(name: str) -> None:
    x = np.concatenate([np.linspace(-20, 20, 40_001), [1e-30, -1e-30, 50, -50, 1e4, -1e4]])
    x = x.astype(np.float32)
    expected = MAPS[name](x.astype(np.float64))
    found = lanewise(ACTIVATE[name], x)
    assert (np.abs(found - expected) <= ACTIVATION_OFF * np.maximum(8, np.abs(x))).all()


def test_tanh_is_as_near_as_it_says() -> None:
    x = np.linspace(-12, 12, 400_001, dtype=np.float32)
    assert np.abs(lanewise(ACTIVATE["tanh"], x) - np.tanh(x.astype(np.float64))).max() <= 1.5e-7


@pytest.mark.parametrize("name", list(ACTIVATIONS), ids=str)
def test_an_activation_of_edges_is_the_references(name: str | None) -> None:
    with np.errstate(all="ignore"):
        expected = MAPS[name](EDGES) if name else EDGES
    found = lanewise(ACTIVATE[name], EDGES)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=ERF_OFF)
