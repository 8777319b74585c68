"""Rules: what each one rewrites, what it leaves alone, and that the numbers stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from gpudb.models.architecture import linear
from gpudb.plan.explain import explain
from gpudb.plan.fused import EmbeddingNorm, Linear, ResidualNorm, RmsNorm
from gpudb.plan.node import Node, walk
from gpudb.plan.relational import Join
from gpudb.plan.rules import NEEDED, RULES, Rule, optimize
from gpudb.plan.rules.fuse_attention_bias import fuse_attention_bias
from gpudb.plan.rules.fuse_embedding_norm import fuse_embedding_norm
from gpudb.plan.rules.fuse_gated import fuse_gated
from gpudb.plan.rules.fuse_linear import fuse_linear
from gpudb.plan.rules.fuse_pool_normalize import fuse_pool_normalize
from gpudb.plan.rules.fuse_residual_norm import fuse_residual_norm
from gpudb.plan.rules.fuse_rms_norm import fuse_rms_norm
from gpudb.plan.rules.merge_projections import merge_projections
from gpudb.plan.rules.recognise_attention import recognise_attention
from gpudb.plan.sequence import Attention, PoolNormalize, Softmax
from gpudb.plan.serialize import fingerprint
from gpudb.plan.tensor import Columns, Gather, Input, LayerNorm, Map, Zip
from gpudb.types import TensorSchema
from tests import reference_encoder
from tests.conftest import GOLDEN
from tests.plan import rule_plans
from tests.plan.rule_plans import PLANS, ROWS, WIDTH, Weights
from tests.tiny_plans import (
    Encoder,
    bert_encoder,
    compute,
    kinds,
    offsets_of,
    sizes_of,
    torch_encoder,
)

Golden = Callable[[str, str], None]
BY_NAME = {rule.__name__: rule for rule in RULES}
LENGTHS = [3, 0, 1, 5]
OFFSETS = offsets_of(LENGTHS)
INPUTS = {
    "x": np.random.default_rng(9).standard_normal((ROWS, WIDTH)),
    "ids": np.random.default_rng(9).integers(0, WIDTH, ROWS, dtype=np.int32),
    "sequences": OFFSETS,
}


def run(plan: Node, weights: Weights, rules: tuple[Rule, ...]) -> Any:
    return compute(plan, weights, rules, INPUTS, sizes_of(OFFSETS))


def test_every_rule_has_a_plan_and_a_golden_text() -> None:
    assert list(PLANS) == list(BY_NAME)
    assert {f.stem for f in GOLDEN.glob("rule-*.txt")} == {f"rule-{name}" for name in BY_NAME}


@pytest.mark.parametrize("name", BY_NAME)
def test_what_a_rule_makes_of_a_plan(name: str, golden: Golden) -> None:
    plan = PLANS[name](Weights())
    after = BY_NAME[name](plan)
    assert fingerprint(after) != fingerprint(plan)
    golden(f"rule-{name}", f"before\n{explain(plan)}\n\nafter\n{explain(after)}")


@pytest.mark.parametrize("name", BY_NAME)
def test_a_rule_leaves_the_result_and_its_own_work_as_they_are(name: str) -> None:
    weights = Weights()
    plan = PLANS[name](weights)
    rule = BY_NAME[name]
    after = rule(plan)
    assert after.schema.shape == plan.schema.shape
    assert explain(rule(after)) == explain(after)
    unchanged = run(plan, weights, NEEDED)
    # float64; the fused form may sum in another order
    np.testing.assert_allclose(run(after, weights, NEEDED), unchanged, rtol=1e-12, atol=1e-12)


def test_the_plan_of_a_bert(golden: Golden) -> None:
    plan = bert_encoder([2], num_hidden_layers=1).plan
    golden("bert", f"as stored\n{explain(plan)}\n\nafter the rules\n{explain(optimize(plan))}")


ENCODERS: dict[str, Callable[..., Encoder]] = {
    "bert": bert_encoder,
    "post-norm": torch_encoder,
    "pre-norm": lambda *a, **k: torch_encoder(*a, norm_first=True, final_norm=True, **k),
}


@pytest.mark.parametrize("block", [None, (3, 1000), (1, 1), (5, 3), (1000, 2)], ids=str)
@pytest.mark.parametrize("kind", ENCODERS)
def test_an_encoder_with_and_without_rules_equals_float64(
    kind: str, block: tuple[int, int] | None
) -> None:
    encoder = ENCODERS[kind]([4, 1, 0, 7, 1], block=block, dtype="float64")
    expected = _reference(encoder)
    for rules in (RULES, NEEDED):
        found = compute(encoder.plan, encoder.arrays, rules, encoder.inputs, encoder.sizes)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("left_out", BY_NAME)
@pytest.mark.parametrize("kind", ENCODERS)
def test_no_rule_needs_another_to_be_right(kind: str, left_out: str) -> None:
    if BY_NAME[left_out] in NEEDED:
        rules: tuple[Rule, ...] = NEEDED
    else:
        rules = tuple(rule for rule in RULES if rule.__name__ != left_out)
    encoder = ENCODERS[kind]([2, 3], block=(3, 1000), dtype="float64")
    found = compute(encoder.plan, encoder.arrays, rules, encoder.inputs, encoder.sizes)
    np.testing.assert_allclose(found, _reference(encoder), rtol=1e-9, atol=1e-9)


def _reference(encoder: Encoder) -> Any:
    weights, inputs = encoder.arrays.dense, encoder.inputs
    if "rows" in inputs:
        return reference_encoder.transformer_encoder(
            encoder.config, weights, inputs["rows"], encoder.offsets
        )
    return reference_encoder.bert(
        encoder.config, weights, inputs["token_ids"], inputs["type_ids"], encoder.offsets
    )


@pytest.mark.parametrize("layers", [1, 3])
def test_a_bert_layer_is_six_steps(layers: int) -> None:
    encoder = bert_encoder([2], num_hidden_layers=layers)
    found = kinds(optimize(encoder.plan))
    assert found.count("EmbeddingNorm") == 1
    assert found.count("Attention") == layers
    assert found.count("ResidualNorm") == 2 * layers
    assert found.count("Linear") == layers  # the wide one
    # Query, key and value in one, and the two whose bias is added by the step that follows.
    assert found.count("Matmul") == 3 * layers
    assert not {"Dropout", "Softmax", "Scores", "LayerNorm", "Map", "Zip"} & set(found)


def _twice(node: Node) -> Node:
    """A second reader of what a rule would fuse away."""
    return Zip(node, node, "multiply")


def test_what_somebody_else_reads_is_not_fused_away() -> None:
    w = Weights()
    fused = rule_plans.fuse_linear(w)
    inner = fused.children[0]
    assert "Linear" in kinds(fuse_linear(fused))
    kept = fuse_linear(Zip(fused, inner, "add"))
    assert {type(n) for n in walk(kept)} >= {Linear, Zip}
    assert kinds(kept).count("Map") == 1

    norm = rule_plans.fuse_residual_norm(w)
    assert isinstance(norm, LayerNorm)
    assert isinstance(fuse_residual_norm(norm), ResidualNorm)
    assert ResidualNorm not in {
        type(n) for n in walk(fuse_residual_norm(Zip(norm, norm.child, "add")))
    }
    embedded = rule_plans.fuse_embedding_norm(w)
    assert isinstance(embedded, LayerNorm)
    assert isinstance(fuse_embedding_norm(embedded), EmbeddingNorm)
    for shared in (embedded.child, embedded.child.children[0]):
        kept = fuse_embedding_norm(Zip(embedded, shared, "add"))
        assert EmbeddingNorm not in {type(n) for n in walk(kept)}


def test_a_norm_whose_inside_is_read_or_of_something_else_stays_as_it_is() -> None:
    w = Weights()
    norm = rule_plans.fuse_rms_norm(w)
    assert isinstance(norm, Zip)
    assert isinstance(fuse_rms_norm(norm), RmsNorm)
    divided = norm.left
    assert isinstance(divided, Join)
    others = [
        Zip(norm, divided, "add"),
        replace(norm, left=replace(divided, left=rule_plans.rows())),
        replace(norm, left=replace(divided, kernel="multiply")),
        replace(norm, fn="add"),
        replace(norm, right=rule_plans.rows()),
    ]
    for other in others:
        assert RmsNorm not in {type(n) for n in walk(fuse_rms_norm(other))}


def test_attention_and_pooling_whose_inside_is_read_stay_apart() -> None:
    w = Weights()
    context = rule_plans.recognise_attention(w)
    weights = context.children[0]
    assert isinstance(weights, Softmax)
    other = type(context)(weights, context.children[1], weights.sequences)
    found = {type(n) for n in walk(recognise_attention(Zip(context, other, "add")))}
    assert Attention not in found
    pooled = rule_plans.fuse_pool_normalize(w)
    kept = fuse_pool_normalize(Zip(pooled, pooled.children[0], "add"))
    assert PoolNormalize not in {type(n) for n in walk(kept)}
    assert PoolNormalize in {type(n) for n in walk(fuse_pool_normalize(_twice(pooled)))}


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_merged_projections_keep_their_places(order: tuple[int, ...]) -> None:
    w = Weights()
    first, second = rule_plans.merge_projections(w).children
    parts = [*first.children, second]
    a, b, c = (parts[i] for i in order)
    plan = Zip(Zip(a, b, "subtract"), c, "multiply")
    merged = merge_projections(plan)
    assert kinds(merged).count("Linear") == 1
    assert sum(isinstance(n, Columns) for n in walk(merged)) == 3
    np.testing.assert_allclose(run(merged, w, NEEDED), run(plan, w, NEEDED), atol=1e-12)


def test_projections_of_different_inputs_or_with_a_function_stay_apart() -> None:
    w = Weights()
    x, y = rule_plans.rows(), rule_plans.rows()
    weight, bias = w.matrix("w"), w.vector("b")
    for a, b in (
        (Linear(x, weight, bias), Linear(y, weight, bias)),
        (Linear(x, weight, bias), Linear(x, weight, bias, "relu")),
    ):
        assert kinds(merge_projections(Zip(a, b, "add"))).count("Linear") == 2


def test_attention_takes_the_bias_of_a_projection_that_it_alone_reads() -> None:
    plan = rule_plans.fuse_attention_bias(Weights())
    assert isinstance(plan, Attention)
    query, key, value = plan.query, plan.key, plan.value
    assert isinstance(query, Columns)
    merged = query.child
    assert isinstance(merged, Linear)
    with_function = [
        Columns(replace(merged, activation="relu"), i * WIDTH, (i + 1) * WIDTH) for i in range(3)
    ]
    others: list[Node] = [
        replace(plan, query=key, key=query),  # not in the order of the bias
        replace(plan, key=query),
        replace(plan, value=rule_plans.rows()),
        Zip(plan, value, "add"),
        Zip(plan, Columns(merged, 2, 2 + WIDTH), "add"),
        replace(plan, query=with_function[0], key=with_function[1], value=with_function[2]),
    ]
    assert explain(fuse_attention_bias(plan)) != explain(plan)
    for other in others:
        assert explain(fuse_attention_bias(other)) == explain(other)


def test_a_gate_is_fused_from_either_side_where_nobody_else_reads_it() -> None:
    w = Weights()
    plan = rule_plans.fuse_gated(w)
    assert isinstance(plan, Zip)
    gate, up = plan.children
    assert (
        kinds(fuse_gated(plan))[-1] == kinds(fuse_gated(Zip(up, gate, "multiply")))[-1] == "Gated"
    )
    single = Input(TensorSchema("x", ("tokens", WIDTH), ("tokens", WIDTH)))
    for other in (
        Zip(gate, up, "add"),
        Zip(plan, gate, "add"),
        Zip(gate, w.vector("v"), "multiply"),
        Zip(gate, single, "multiply"),  # float64 and float32
        Zip(Map(w.matrix("a", (2, WIDTH)), "silu"), w.matrix("b", (2, WIDTH)), "multiply"),
    ):
        assert explain(fuse_gated(other)) == explain(other)


def test_rows_of_an_embedding_are_inputs() -> None:
    w = Weights()
    numbers = w.scan("numbers", np.arange(3, dtype=np.int32))
    vectors = w.vector("gamma"), w.vector("beta")
    stored = LayerNorm(Gather(w.matrix("words"), numbers), *vectors, 1e-5)
    assert explain(fuse_embedding_norm(stored)) == explain(stored)
    given = LayerNorm(Gather(w.matrix("words"), rule_plans.IDS), *vectors, 1e-5)
    assert isinstance(fuse_embedding_norm(given), EmbeddingNorm)


def test_a_sum_of_other_things_is_no_embedding() -> None:
    w = Weights()
    x = rule_plans.rows()
    plan = LayerNorm(Zip(x, x, "add"), w.vector("gamma"), w.vector("beta"), 1e-5)
    for rule in (fuse_embedding_norm, fuse_residual_norm):
        assert explain(rule(plan)) == explain(plan)
    product = linear(x, w.matrix("w"), w.vector("b"))
    times = LayerNorm(Zip(product, x, "multiply"), w.vector("gamma"), w.vector("beta"), 1e-5)
    assert explain(fuse_residual_norm(times)) == explain(times)
