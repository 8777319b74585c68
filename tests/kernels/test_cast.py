"""Casts to and from bfloat16, which NumPy lacks."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudb.kernels.cast import cast
from gpudb.types import widen

VALUES = widen(np.arange(0x7F80).astype(np.uint16), "bfloat16")
"""All bfloat16 from 0 to the largest, each at the place that its bits say."""


def test_every_bfloat16_there_and_back() -> None:
    bits = np.arange(1 << 16).astype(np.uint16)
    wide = cast.reference(bits, "float32")
    kept = ~np.isnan(wide)
    np.testing.assert_array_equal(wide, widen(bits, "bfloat16"))
    np.testing.assert_array_equal(cast.reference(wide, "bfloat16")[kept], bits[kept])
    assert (cast.reference(wide, "bfloat16")[~kept] == 0x7FFF).all()


@given(st.floats(0, 3e38))
def test_a_double_is_rounded_once(number: float) -> None:
    below = int(np.searchsorted(VALUES, number, side="right")) - 1
    low, high = (Fraction(float(VALUES[place])) for place in (below, below + 1))
    left, right = Fraction(number) - low, high - Fraction(number)
    nearest = below if left < right or (left == right and below % 2 == 0) else below + 1
    assert cast.reference(np.array([number]), "bfloat16")[0] == nearest
    assert cast.reference(np.array([-number]), "bfloat16")[0] & 0x7FFF == nearest


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int8"])
def test_nothing_to_change_is_no_copy(dtype: str) -> None:
    x: Any = cast.reference(np.array([0.5, 3.0]), dtype)
    assert cast.reference(x, dtype) is x


def test_whole_numbers_are_cut_off_towards_zero() -> None:
    bits = cast.reference(np.array([1.5, -1.5, 100.0]), "bfloat16")
    assert cast.reference(bits, "int8").tolist() == [1, -1, 100]
