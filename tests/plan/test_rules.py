"""Every rule on a small plan: the text before and after is a golden one, the meaning is kept.

The texts lie in ``tests/golden``, one file per rule and one for a whole encoder after all of them.
When a rule changes on purpose, write them again and read the difference before committing it::

    GPUDB_WRITE_GOLDEN=1 pytest tests/plan/test_rules.py && git diff tests/golden
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gpudb.plan.explain import explain
from gpudb.plan.fused import Linear
from gpudb.plan.node import Node
from gpudb.plan.relational import Aggregate, FilterKeys, Join
from gpudb.plan.rules import NEEDED, RELATIONAL, RULES, Rule, optimize
from gpudb.plan.rules.align_blocks import align_blocks
from gpudb.plan.rules.coalesce_panels import coalesce_panels
from gpudb.plan.rules.drop_dropout import drop_dropout
from gpudb.plan.rules.fuse_embedding_norm import fuse_embedding_norm
from gpudb.plan.rules.fuse_linear import fuse_linear
from gpudb.plan.rules.fuse_pool_normalize import fuse_pool_normalize
from gpudb.plan.rules.fuse_residual_norm import fuse_residual_norm
from gpudb.plan.rules.merge_projections import merge_projections
from gpudb.plan.rules.push_key_filters import push_key_filters
from gpudb.plan.rules.recognise_attention import recognise_attention
from gpudb.plan.rules.recognise_products import recognise_products
from gpudb.plan.rules.share_repeated import share_repeated
from gpudb.plan.sequence import Context, Normalize, Pool, Scores, Softmax
from gpudb.plan.serialize import fingerprint
from gpudb.plan.tensor import Dropout, Gather, Input, LayerNorm, Map, Matmul, Scan, Zip
from gpudb.types import HostArray, TensorSchema
from tests.tiny_plans import Arrays, bert_encoder, compute, sizes_of, torch_encoder

GOLDEN = Path(__file__).parents[1] / "golden"
WRITE = os.environ.get("GPUDB_WRITE_GOLDEN") == "1"

TOKENS, WIDTH = 5, 4
OFFSETS = np.array([0, 2, 5], np.int32)


class Tables:
    """Stored tensors and inputs for small plans, random and of named shapes."""

    def __init__(self) -> None:
        self.arrays = Arrays()
        self.inputs: dict[str, HostArray] = {}
        self._random = np.random.default_rng(0)

    def stored(self, name: str, *shape: int, block: tuple[int, ...] | None = None) -> Scan:
        return self.arrays.scan(name, self._random.standard_normal(shape), block)

    def rows(self, name: str) -> Input:
        self.inputs[name] = self._random.standard_normal((TOKENS, WIDTH))
        return Input(TensorSchema(name, ("tokens", WIDTH), ("tokens", WIDTH), "float64"))

    def ids(self, name: str, below: int) -> Input:
        self.inputs[name] = self._random.integers(0, below, TOKENS, dtype=np.int32)
        return Input(TensorSchema(name, ("tokens",), ("tokens",), "int32"))

    def sequences(self) -> Input:
        self.inputs["sequences"] = OFFSETS
        return Input(TensorSchema("sequences", ("offsets",), ("offsets",), "int32"))


def dropout_between_two_maps(t: Tables) -> Node:
    return Map(Dropout(Map(Dropout(t.rows("x"), 0.1), "relu"), 0.2), "tanh")


def one_product_written_twice(t: Tables) -> Node:
    x, w = t.rows("x"), t.stored("w", 3, WIDTH)
    return Zip(Map(Matmul(x, w, True), "relu"), Map(Matmul(x, w, True), "tanh"), "add")


def filters_over_a_scan_and_over_a_step(t: Tables) -> Node:
    low = FilterKeys(t.stored("x", 6, 4, block=(2, 2)), ((0, ">", 0),))
    return FilterKeys(FilterKeys(Map(low, "exp"), ((0, "<", 2),)), ((1, "=", 1),))


def products_as_joins(t: Tables) -> Node:
    x, y = t.stored("x", 4, 6, block=(2, 2)), t.stored("y", 6, 5, block=(2, 2))
    product = Aggregate(Join(x, y, ((1, 0),), "matmul"), (0, 2), "sum")
    z = t.stored("z", 3, 5, block=(2, 2))
    return Aggregate(Join(product, z, ((1, 1),), "matmul_transposed"), (0, 2), "sum")


def attention_of_two_heads(t: Tables) -> Node:
    query, key, value, sequences = t.rows("query"), t.rows("key"), t.rows("value"), t.sequences()
    weights = Softmax(Scores(query, key, sequences, 2, 0.5), sequences)
    return Context(weights, value, sequences)


def panels_and_blocks(t: Tables) -> Node:
    panels = t.stored("panels", 6, WIDTH, block=(2, WIDTH))
    squares = t.stored("squares", 6, 6, block=(2, 2))
    return Matmul(Matmul(t.rows("x"), panels, True), squares)


def three_embeddings_normalised(t: Tables) -> Node:
    words, types, places = (
        Gather(t.stored(name, count, WIDTH), t.ids(f"{name}_ids", count))
        for name, count in (("words", 9), ("types", 2), ("places", 5))
    )
    summed = Zip(Zip(words, types, "add"), places, "add")
    return LayerNorm(summed, t.stored("gamma", WIDTH), t.stored("beta", WIDTH), 1e-5)


def residuals_after_and_before_the_norm(t: Tables) -> Node:
    x, w, b = t.rows("x"), t.stored("w", WIDTH, WIDTH), t.stored("b", WIDTH)
    gamma, beta = t.stored("gamma", WIDTH), t.stored("beta", WIDTH)
    after = LayerNorm(Zip(Zip(Matmul(x, w, True), b, "add"), x, "add"), gamma, beta, 1e-5)
    residual = Zip(Matmul(after, w, True), after, "add")  # is read again: it has to exist
    return Zip(LayerNorm(residual, gamma, beta, 1e-5), residual, "add")


def linear_layers(t: Tables) -> Node:
    x, w, b = t.rows("x"), t.stored("w", 3, WIDTH), t.stored("b", 3)
    hidden = Map(Zip(Matmul(x, w, True), b, "add"), "gelu")
    straight = Matmul(hidden, t.stored("v", 3, 2))  # not transposed: no linear layer
    return Zip(straight, t.stored("c", 2), "add")


def query_key_and_value(t: Tables) -> Node:
    x, other, sequences = t.rows("x"), t.rows("other"), t.sequences()

    def project(source: Node, name: str, activation: str | None = None) -> Node:
        weight, bias = t.stored(f"{name}.w", WIDTH, WIDTH), t.stored(f"{name}.b", WIDTH)
        return Linear(source, weight, bias, activation)

    weights = Softmax(Scores(project(x, "query"), project(x, "key"), sequences, 2, 0.5), sequences)
    context = Context(weights, project(x, "value"), sequences)
    return Zip(Zip(context, project(other, "lone"), "add"), project(x, "curved", "relu"), "add")


def means_of_length_one(t: Tables) -> Node:
    return Normalize(Pool(t.rows("x"), t.sequences(), "mean"), 1e-12)


def blocks_that_do_not_fit(t: Tables) -> Node:
    x, y = t.stored("x", 4, 6, block=(2, 2)), t.stored("y", 6, 4, block=(3, 4))
    shifted = Zip(Matmul(x, y), t.stored("b", 4, block=(3,)), "add")
    # The filter looks at keys, so what it reads keeps the blocks it was written in.
    kept = FilterKeys(shifted, ((1, "=", 0),))
    return LayerNorm(kept, t.stored("gamma", 4, block=(3,)), t.stored("beta", 4), 1e-5)


PLANS: dict[Rule, Callable[[Tables], Node]] = {
    drop_dropout: dropout_between_two_maps,
    share_repeated: one_product_written_twice,
    push_key_filters: filters_over_a_scan_and_over_a_step,
    recognise_products: products_as_joins,
    recognise_attention: attention_of_two_heads,
    coalesce_panels: panels_and_blocks,
    fuse_embedding_norm: three_embeddings_normalised,
    fuse_residual_norm: residuals_after_and_before_the_norm,
    fuse_linear: linear_layers,
    merge_projections: query_key_and_value,
    fuse_pool_normalize: means_of_length_one,
    align_blocks: blocks_that_do_not_fit,
}
"""A plan on which each rule acts."""

ENCODERS = {
    "encoder_bert_fused": (bert_encoder, RULES),
    "encoder_bert_needed": (bert_encoder, NEEDED),
    "encoder_pre_norm_fused": (lambda lengths: torch_encoder(lengths, norm_first=True), RULES),
}


def _check_golden(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if WRITE:
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"no {path.name}; the top of this file says how to write it"
    assert text == path.read_text(encoding="utf-8"), f"{path.name}: see the top of this file"


def test_every_rule_has_a_plan() -> None:
    assert set(PLANS) == {*RULES, *RELATIONAL, *NEEDED}


@pytest.mark.parametrize("rule", PLANS, ids=lambda rule: rule.__name__)
def test_rule_before_and_after(rule: Rule) -> None:
    tables = Tables()
    before = PLANS[rule](tables)
    after = rule(before)
    text = f"before\n{explain(before)}\n\nafter {rule.__name__}\n{explain(after)}\n"
    _check_golden(rule.__name__, text)
    assert fingerprint(after) != fingerprint(before)
    assert after.schema.shape == before.schema.shape
    assert after.schema.dtype == before.schema.dtype
    found, expected = (
        compute(before, tables.arrays, rules, tables.inputs, sizes_of(OFFSETS))
        for rules in ((rule,), ())
    )
    # float64, values of order 1, sums of at most six terms
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    assert np.abs(expected).max() > 1e-3


@pytest.mark.parametrize("rule", PLANS, ids=lambda rule: rule.__name__)
def test_a_rule_done_twice_does_nothing_more(rule: Rule) -> None:
    once = rule(PLANS[rule](Tables()))
    assert fingerprint(rule(once)) == fingerprint(once)


@pytest.mark.parametrize("rule", PLANS, ids=lambda rule: rule.__name__)
def test_a_plan_without_the_pattern_is_left_alone(rule: Rule) -> None:
    plan = Map(Tables().rows("x"), "exp")
    assert rule(plan) is plan


@pytest.mark.parametrize("name", ENCODERS)
def test_encoder_after_all_rules(name: str) -> None:
    build, rules = ENCODERS[name]
    plan = build([3, 2]).plan
    _check_golden(name, explain(optimize(plan, rules)) + "\n")
