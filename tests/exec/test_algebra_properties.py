"""Any chain of operators, over any shapes in any blocks, equals dense NumPy in float64."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpudb.backend import NullBackend
from gpudb.exec import chunks
from gpudb.exec.missing import dense_result, key_grid, positions, rows_of_full_grid, take_blocks
from gpudb.plan.node import Node
from gpudb.plan.rules import NEEDED, RULES, Rule
from tests.dense import dense
from tests.exec.against_dense import run_in_parts
from tests.exec.chains import plans
from tests.tiny_plans import Arrays, cut, prepared

# Sums in another order differ by a few units in the last place of the largest term.
RELATIVE = 1e-9


@pytest.mark.parametrize("rules", [RULES, NEEDED], ids=["all rules", "needed rules"])
@settings(
    max_examples=800,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(plans(), st.sampled_from([500, chunks.SCRATCH_NBYTES]))
def test_chains_equal_dense_numpy(
    rules: tuple[Rule, ...], case: tuple[Node, Arrays], scratch: int
) -> None:
    plan, arrays = case
    expected = dense(plan, arrays.dense)
    with patch.object(chunks, "SCRATCH_NBYTES", scratch):  # in one part, or in many
        ready = prepared(plan, arrays, rules)
        result = ready.run({}, {})
    out = ready.steps[-1].op.out
    assert out.numbers == plan.schema.numbers
    assert result.data.dtype == np.dtype(out.dtype)
    assert result.data.shape == (len(result.keys), *out.block_numbers)
    assert (np.diff(positions(result.keys, key_grid(out))) > 0).all()
    found = dense_result(ready.backend, result, out)
    size = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(found, expected, rtol=RELATIVE, atol=RELATIVE * size)
    blocks = take_blocks(ready.backend, result.data, rows_of_full_grid(result.keys, out))
    np.testing.assert_array_equal(blocks, cut(found, out.block_numbers))  # padding is zero


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(plans())
def test_chains_in_the_smallest_parts_equal_dense_numpy(case: tuple[Node, Arrays]) -> None:
    plan, arrays = case
    expected = dense(plan, arrays.dense)
    size = max(1.0, float(np.abs(expected).max(initial=0)))
    found = run_in_parts(plan, arrays)
    np.testing.assert_allclose(found, expected, rtol=RELATIVE, atol=RELATIVE * size)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(plans())
def test_the_null_backend_gives_the_same_keys_and_shapes(case: tuple[Node, Arrays]) -> None:
    plan, arrays = case
    expected = prepared(plan, arrays).run({}, {})
    found = prepared(plan, arrays, backend=NullBackend()).run({}, {})
    np.testing.assert_array_equal(found.keys, expected.keys)
    assert found.data.shape == expected.data.shape
    assert found.data.dtype == expected.data.dtype
