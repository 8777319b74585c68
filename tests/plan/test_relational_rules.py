"""Rules over filters and products: the plan before and after, and equal results."""

from __future__ import annotations

import numpy as np
import pytest

from gpudb.plan.node import Node, walk
from gpudb.plan.relational import Aggregate, Contract, FilterKeys, Join, Project
from gpudb.plan.rules import NEEDED, RULES, Rule, optimize
from gpudb.plan.rules.align_blocks import align_blocks
from gpudb.plan.rules.coalesce_panels import coalesce_panels
from gpudb.plan.rules.push_key_filters import push_key_filters
from gpudb.plan.rules.recognise_products import recognise_products
from gpudb.plan.tensor import Coalesce, Gather, Map, Matmul, Reblock, Zip
from tests.dense import dense
from tests.tiny_plans import Arrays, compute


def _arrays() -> tuple[Arrays, Node, Node]:
    arrays = Arrays()
    random = np.random.default_rng(0)
    x = arrays.scan("x", random.standard_normal((4, 6)), (2, 2))
    y = arrays.scan("y", random.standard_normal((6, 5)), (2, 2))
    return arrays, x, y


def _becomes(rule: Rule, before: Node, arrays: Arrays, labels: list[str]) -> None:
    """The rule gives a plan of these nodes, and the result stays what it was."""
    after = rule(before)
    assert [node.label() for node in walk(after)] == labels
    assert str(after.schema) == str(before.schema)
    expected = dense(before, arrays.dense)
    np.testing.assert_allclose(dense(after, arrays.dense), expected, atol=1e-12)
    for rules in ((), (rule,), NEEDED, RULES):
        np.testing.assert_allclose(compute(before, arrays, rules), expected, atol=1e-12)


def _same(rule: Rule, plan: Node, arrays: Arrays) -> None:
    assert rule(plan) is plan
    np.testing.assert_allclose(compute(plan, arrays), dense(plan, arrays.dense), atol=1e-12)


def test_filters_of_a_scan_say_which_blocks_to_read() -> None:
    arrays, x, _ = _arrays()
    plan = FilterKeys(FilterKeys(x, ((0, ">", 0),)), ((1, "=", 2),))
    _becomes(
        push_key_filters,
        plan,
        arrays,
        [
            "Scan(x: 4×6 float64 in 2×2 blocks where i0 > 0 and i1 = 2)",
        ],
    )


def test_filters_of_filters_are_one() -> None:
    arrays, x, _ = _arrays()
    plan = FilterKeys(FilterKeys(Map(x, "exp"), ((0, ">", 0),)), ((1, "=", 2),))
    _becomes(
        push_key_filters,
        plan,
        arrays,
        [
            "Scan(x: 4×6 float64 in 2×2 blocks)",
            "Map(fn=exp)",
            "FilterKeys(i0 > 0 and i1 = 2)",
        ],
    )


def test_a_scan_that_others_read_whole_stays_whole() -> None:
    arrays, x, _ = _arrays()
    plan = Zip(x, FilterKeys(x, ((0, "=", 1),)), "subtract")
    after = push_key_filters(plan)
    assert after.left is x  # type: ignore[attr-defined]
    np.testing.assert_allclose(compute(plan, arrays), dense(plan, arrays.dense))


def test_a_joined_product_that_is_summed_is_a_matmul() -> None:
    arrays, x, y = _arrays()
    plan = Aggregate(Join(x, y, ((1, 0),), "matmul"), (0, 2), "sum")
    _becomes(
        recognise_products,
        plan,
        arrays,
        [
            "Scan(x: 4×6 float64 in 2×2 blocks)",
            "Scan(y: 6×5 float64 in 2×2 blocks)",
            "Matmul(transpose_right=False)",
        ],
    )


def test_a_transposed_product_is_a_transposed_matmul() -> None:
    arrays, x, _ = _arrays()
    z = arrays.scan("z", np.ones((3, 6)), (2, 2))
    plan = Aggregate(Join(x, z, ((1, 1),), "matmul_transposed"), (0, 2), "sum")
    _becomes(
        recognise_products,
        plan,
        arrays,
        [
            "Scan(x: 4×6 float64 in 2×2 blocks)",
            "Scan(z: 3×6 float64 in 2×2 blocks)",
            "Matmul(transpose_right=True)",
        ],
    )


def test_a_product_with_a_batch_is_a_contraction() -> None:
    arrays = Arrays()
    random = np.random.default_rng(0)
    a = arrays.scan("a", random.standard_normal((3, 4, 5)), (2, 3, 2))
    b = arrays.scan("b", random.standard_normal((3, 5, 2)), (2, 2, 2))
    plan = Aggregate(Join(a, b, ((0, 0), (2, 1)), "matmul"), (0, 1, 3), "sum")
    after = recognise_products(plan)
    assert isinstance(after, Contract)
    assert (after.on, after.contracted) == (((0, 0), (2, 1)), (2, 1))
    assert str(after.schema) == str(plan.schema)
    np.testing.assert_allclose(compute(plan, arrays), dense(plan, arrays.dense), atol=1e-12)


def test_what_is_not_a_product_stays() -> None:
    arrays, x, y = _arrays()
    joined = Join(x, y, ((1, 0),), "matmul")
    _same(recognise_products, Aggregate(joined, (0, 2), "max"), arrays)
    _same(recognise_products, Aggregate(joined, (0,), "sum"), arrays)
    _same(recognise_products, Aggregate(Join(x, y, ((1, 0),), "add"), (0, 2), "sum"), arrays)
    pairs = Project(joined, ((1, 0),))
    both = Zip(Aggregate(joined, (0, 2), "sum"), pairs, "add")  # the pairs are read twice
    _same(recognise_products, both, arrays)


def test_a_dot_product_stays_a_join() -> None:
    # No axis is left for a contraction to have.
    arrays = Arrays()
    v = arrays.scan("v", np.arange(5.0), (2,))
    plan = Aggregate(Join(v, v, ((0, 0),), "matmul"), (), "sum")
    _same(recognise_products, plan, arrays)
    assert compute(plan, arrays).tolist() == [30.0]


@pytest.mark.parametrize("above", ["filter", "aggregate", "project", "pairs"])
def test_panels_whose_keys_are_looked_at_are_not_coalesced(above: str) -> None:
    arrays = Arrays()
    panels = arrays.scan("panels", np.arange(24.0).reshape(6, 4), (2, 4))
    x = Map(panels, "negative")
    plan: Node = {
        "filter": FilterKeys(x, ((0, "=", 1),)),
        "aggregate": Aggregate(x, (1,), "max"),
        "project": Project(x, ((0, 1),)),
        "pairs": Join(arrays.scan("v", np.arange(6.0), (2,)), panels, ((0, 0),), "matmul"),
    }[above]
    assert not any(isinstance(node, Coalesce) for node in walk(optimize(plan)))
    np.testing.assert_allclose(compute(plan, arrays), dense(plan, arrays.dense))


def test_panels_under_another_cut_are_coalesced() -> None:
    arrays = Arrays()
    panels = arrays.scan("panels", np.arange(24.0).reshape(6, 4), (2, 4))
    plan = FilterKeys(Reblock(panels, (3, 2)), ((0, "=", 1),))
    assert any(isinstance(node, Coalesce) for node in walk(coalesce_panels(plan)))
    np.testing.assert_allclose(compute(plan, arrays), dense(plan, arrays.dense))


def test_a_step_that_needs_whole_rows_is_cut_again_where_keys_are_looked_at() -> None:
    arrays = Arrays()
    table = arrays.scan("table", np.arange(24.0).reshape(6, 4), (2, 2))
    rows = arrays.scan("rows", np.array([3, 0, 5], np.int32), (2,))
    plan = FilterKeys(Gather(table, rows), ((1, "=", 1),))
    assert align_blocks(plan).schema.block == plan.schema.block == (2, 2)
    np.testing.assert_allclose(compute(plan, arrays), dense(plan, arrays.dense))


def test_products_of_unequal_blocks_are_aligned() -> None:
    arrays, x, _ = _arrays()
    other = arrays.scan("other", np.ones((6, 5)), (3, 4))
    plan = Aggregate(Join(x, other, ((1, 0),), "matmul"), (0, 2), "sum")
    after = optimize(plan)
    assert isinstance(after, Matmul)
    np.testing.assert_allclose(compute(plan, arrays), dense(plan, arrays.dense))
