"""Tests on the keys of a product's result: pairs that nobody asked for are not multiplied."""

from __future__ import annotations

import numpy as np
import pytest

from gpudb.exec.operators.contract_blocks import ContractBlocks
from gpudb.exec.operators.join_products import JoinProducts
from gpudb.plan.elementwise import ZipScalar
from gpudb.plan.relational import Aggregate, FilterKeys, Join
from gpudb.plan.rules import RELATIONAL
from gpudb.plan.tensor import Map
from tests.dense import dense
from tests.tiny_plans import Arrays, compute, prepared

TESTS = {
    "one row of blocks": ((0, "=", 1),),
    "a band": ((0, "<=", "i1"),),
    "listed": (((0, 1), "in", ((0, 0), (2, 1))),),
    "none": ((1, ">", 99),),
}


def _arrays() -> tuple[Arrays, Join]:
    random = np.random.default_rng(3)
    arrays = Arrays()
    left = arrays.scan("left", random.standard_normal((7, 9)), (3, 2))
    right = arrays.scan("right", random.standard_normal((8, 9)), (4, 2))
    return arrays, Join(left, right, ((1, 1),), "matmul_transposed")


@pytest.mark.parametrize("tests", TESTS.values(), ids=TESTS.keys())
def test_a_filtered_product_multiplies_only_what_is_asked_for(tests) -> None:
    arrays, join = _arrays()
    filtered = FilterKeys(
        Map(ZipScalar(Aggregate(join, (0, 2), "sum"), "multiply", 2.0), "tanh"), tests
    )
    ready = prepared(filtered, arrays, RELATIONAL)
    (pairing,) = (
        joined.pairing
        for step, joined in zip(ready.steps, ready.joined, strict=True)
        if isinstance(step.op, ContractBlocks)
    )
    blocks = len(ready.joined[-1].keys)
    assert pairing.pairs == 5 * blocks
    assert pairing.pairs + pairing.pruned == 3 * 5 * 2
    expected = dense(filtered, arrays.dense)
    np.testing.assert_allclose(compute(filtered, arrays, RELATIONAL), expected, atol=1e-14)


@pytest.mark.parametrize("tests", TESTS.values(), ids=TESTS.keys())
def test_pairs_of_a_join_that_is_not_summed(tests) -> None:
    arrays, join = _arrays()
    moved = tuple((a, op, v) for a, op, v in tests if not isinstance(a, tuple))
    filtered = FilterKeys(join, moved)
    ready = prepared(filtered, arrays, RELATIONAL)
    assert isinstance(ready.steps[-1].op, JoinProducts)
    np.testing.assert_allclose(
        compute(filtered, arrays, RELATIONAL), dense(filtered, arrays.dense), atol=1e-14
    )


def test_what_is_pruned_stays_cut_under_all_rules() -> None:
    arrays = Arrays()
    left = arrays.scan("left", np.array([[1.5], [0.5]]), (1, 1))  # row panels: one block, to rules
    right = arrays.scan("right", np.array([1.5]), (1,))
    product = Aggregate(Join(left, right, ((1, 0),), "matmul"), (0,), "sum")
    np.testing.assert_array_equal(compute(FilterKeys(product, ((0, "=", 0),)), arrays), [2.25, 0])
