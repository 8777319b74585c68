"""Numbers by distance in blocks, and norms by mean squares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpudb.plan.fused import RmsNorm
from gpudb.plan.sequence import ByDistance
from gpudb.plan.tensor import Constant
from gpudb.types import TensorSchema
from tests.exec.operators.checks import check
from tests.tiny_plans import Arrays, blocks_of, prepared


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (1, 41)], ids=str)
@pytest.mark.parametrize("block", [1, 3, 4, 9])
@pytest.mark.parametrize("offsets", [(0, 4), (0, 1, 1, 8), (0, 3, 9)], ids=str)
def test_numbers_by_distance(
    offsets: tuple[int, ...], block: int, shape: tuple[int, int], dtype: str
) -> None:
    arrays = Arrays()
    values = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    plan = ByDistance(arrays.scan("t", values, (1, 2)), offsets, 3, min(block, offsets[-1]))
    check(plan, arrays)


def test_only_blocks_that_share_a_sequence_are_made() -> None:
    arrays = Arrays()
    table = arrays.scan("t", np.zeros((1, 1), np.float32))
    batch = prepared(ByDistance(table, (0, 2, 4, 6), 1, 2), arrays).run({}, {})
    assert batch.keys.tolist() == [[i, 0, i] for i in range(3)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("block", [(2, 3), (5, 7)], ids=str)
def test_norm_by_mean_squares(block: Any, dtype: str) -> None:
    arrays = Arrays()
    random = np.random.default_rng(0)
    x = arrays.scan("x", random.standard_normal((5, 7)).astype(dtype), block)
    gamma = arrays.scan("gamma", random.standard_normal(7).astype(dtype), block[1:])
    check(RmsNorm(x, gamma, 1e-6), arrays)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_a_constant_alone(dtype: str) -> None:
    plan = Constant(TensorSchema("c", (2, 2), (2, 2), dtype), (1, -2, 0, 5))
    found = blocks_of(prepared(plan, Arrays()))
    np.testing.assert_array_equal(found, [[[1, -2], [0, 5]]])
    assert str(found.dtype) == dtype
