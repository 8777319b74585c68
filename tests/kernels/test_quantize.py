"""Rows in 8 bits: scales, rounding, and the way back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gpudb.kernels.dequantize import dequantize
from gpudb.kernels.quantize import quantize
from gpudb.kernels.row_scales import row_scales

MATRICES = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False),
)


def in_8_bits(x: Any) -> tuple[Any, Any]:
    scales = row_scales.reference(x)
    return quantize.reference(x, scales), scales


@given(MATRICES)
def test_there_and_back_is_within_half_a_step(x: Any) -> None:
    steps, scales = in_8_bits(x)
    back = dequantize.reference(steps, scales)
    assert (np.abs(back - x) <= scales[:, None] * np.float32(0.5001)).all()


@given(MATRICES)
def test_steps_are_symmetric(x: Any) -> None:
    steps, _ = in_8_bits(x)
    np.testing.assert_array_equal(in_8_bits(-x)[0], -steps)
    assert steps.min() >= -127


def test_the_largest_element_of_a_row_is_127() -> None:
    steps, scales = in_8_bits(np.array([[1.0, -2.0, 4.0], [-8.0, 0.0, 2.0]]))
    np.testing.assert_array_equal(steps, [[32, -64, 127], [-127, 0, 32]])
    np.testing.assert_allclose(scales, [4 / 127, 8 / 127], rtol=1e-7)


def test_the_middle_is_rounded_to_even() -> None:
    x = np.array([[-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]])
    np.testing.assert_array_equal(
        quantize.reference(x, np.ones(1, np.float32)), [[-2, -2, 0, 0, 2, 2]]
    )


@pytest.mark.parametrize("value", [0.0, 1e-40])
def test_a_row_of_zeros_has_the_scale_1(value: float) -> None:
    steps, scales = in_8_bits(np.full((1, 3), value, np.float32))
    assert scales.tolist() == [1]
    assert steps.tolist() == [[0, 0, 0]]


def test_rows_without_columns_have_the_scale_1() -> None:
    assert row_scales.reference(np.zeros((2, 0))).tolist() == [1, 1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_comes_back_as_nan(bad: float) -> None:
    x = np.array([[1.0, bad, 2.0], [1.0, 2.0, 3.0]], np.float32)
    with np.errstate(invalid="ignore"):
        steps, scales = in_8_bits(x)
        back = dequantize.reference(steps, scales)
    assert steps[0].tolist() == [0, 0, 0]
    assert np.isnan(back[0]).all()
    np.testing.assert_allclose(back[1], x[1], atol=float(scales[1]))
