"""A sample of the checks of operators, on this backend.

All of them: ``pytest --backend jit tests/exec/operators --ignore-glob='*test_memory*'``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from gpudb.backend.numpy import NumpyBackend
from tests import backend_under_test
from tests.exec.operators.test_joins import test_matmul
from tests.exec.operators.test_rows import (
    test_layer_norm_of_rows_far_from_zero,
    test_missing_blocks_are_zeros,
    test_named_extents,
    test_nan_and_infinity_stay_in_their_row,
    test_the_length_of_large_rows_does_not_overflow,
)
from tests.tiny_plans import bert_encoder, blocks_of, prepared, torch_encoder

__all__ = [
    "test_layer_norm_of_rows_far_from_zero",
    "test_matmul",
    "test_missing_blocks_are_zeros",
    "test_named_extents",
    "test_nan_and_infinity_stay_in_their_row",
    "test_the_length_of_large_rows_does_not_overflow",
]


@pytest.fixture(autouse=True)
def _on_jit(_backend: None) -> Iterator[None]:
    with backend_under_test.opened("jit") as backend:
        assert backend.name == "jit"
        yield


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lengths", [[], [0], [1], [3, 0, 13, 1]], ids=str)
def test_encoders_equal_numpy(lengths: list[int], dtype: str) -> None:
    for make in (bert_encoder, torch_encoder):
        encoder = make(lengths, (3, 4), dtype=dtype)
        ours, reference = (
            blocks_of(
                prepared(encoder.plan, encoder.arrays, backend=b), encoder.inputs, encoder.sizes
            )
            for b in (None, NumpyBackend())
        )
        assert ours.dtype == reference.dtype
        tolerance = 1e-12 if dtype == "float64" else 2e-5
        np.testing.assert_allclose(ours, reference, rtol=tolerance, atol=tolerance)
