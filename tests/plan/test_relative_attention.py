"""Attention whose scores depend on distances: through every rule, and as data that a plan holds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np
import pytest

from gpudb.errors import UnsupportedError
from gpudb.models.architecture import linear
from gpudb.models.attention import self_attention
from gpudb.plan.blockwise import blockwise
from gpudb.plan.fused import Linear
from gpudb.plan.node import Node
from gpudb.plan.reshape import Transpose
from gpudb.plan.rules import NEEDED, RELATIONAL, RULES, optimize
from gpudb.plan.sequence import Attention
from gpudb.plan.tensor import Columns, Constant, Gather, Input
from gpudb.types import TensorSchema
from tests.tiny_plans import (
    Arrays,
    Encoder,
    compute,
    deberta_encoder,
    mpnet_encoder,
    nodes_of,
    offsets_of,
    prepared,
    sizes_of,
    t5_encoder,
)

WIDTH, HEADS = 6, 2
BUCKETS = (4, 3, 0, 1, 2)
"""Row of the table for the distances -2 to 2."""
OFFSETS = offsets_of([4, 1, 0, 7])
ROWS = int(OFFSETS[-1])


def window(reach: int) -> Constant:
    """Zeros for distances of up to ``reach``."""
    values = (-inf, *(0.0,) * (2 * reach + 1), -inf)
    shape = (1, len(values))
    return Constant(TensorSchema("window", shape, shape, "float64"), values)


def _bucketed(arrays: Arrays, block: tuple[int, int] | None) -> Node:
    table = arrays.scan("buckets", np.random.default_rng(1).standard_normal((5, HEADS)), block)
    rows = Constant(TensorSchema("rows", (5,), (5,), "int32"), BUCKETS)
    return Transpose(Gather(table, rows), (1, 0))


def _attention(
    arrays: Arrays, relative: Node, project: Callable[[Node, Node, Node], Node] = Linear
) -> Node:
    """Query, key and value from one projection, as the rules merge them."""
    random = np.random.default_rng(2)
    weight = arrays.scan("weight", random.standard_normal((3 * WIDTH, WIDTH)))
    bias = arrays.scan("bias", random.standard_normal(3 * WIDTH))
    shape = ("tokens", WIDTH)
    merged = project(Input(TensorSchema("x", shape, shape, "float64")), weight, bias)
    parts = (Columns(merged, i * WIDTH, (i + 1) * WIDTH) for i in range(3))
    return self_attention(*parts, HEADS, 0.1, scale=0.3, relative=relative)


def _expected(arrays: Arrays, x: Any, by_distance: Any) -> Any:
    """Loops over sequences and heads, in float64."""
    merged = x @ arrays.dense["weight"].T + arrays.dense["bias"]
    out = np.zeros((len(x), WIDTH))
    most = by_distance.shape[1] // 2
    for start, stop in pairwise(OFFSETS.tolist()):
        for h in range(HEADS):
            head = slice(h * WIDTH // HEADS, (h + 1) * WIDTH // HEADS)
            q, k, v = (part[start:stop, head] for part in np.split(merged, 3, axis=1))
            places = np.arange(stop - start)
            distance = np.clip(places - places[:, None], -most, most)
            weights = np.exp(0.3 * q @ k.T + by_distance[h % len(by_distance)][distance + most])
            out[start:stop, head] = weights / weights.sum(axis=1, keepdims=True) @ v
    return out


@pytest.mark.parametrize("block", [None, (2, 1), (1, 2)], ids=str)
def test_rules_leave_what_distances_add(block: tuple[int, int] | None) -> None:
    arrays = Arrays()
    plan = _attention(arrays, _bucketed(arrays, block))
    x = np.random.default_rng(3).standard_normal((ROWS, WIDTH))
    expected = _expected(arrays, x, arrays.dense["buckets"][list(BUCKETS)].T)
    for rules in (RULES, NEEDED):
        found = compute(plan, arrays, rules, {"x": x, "sequences": OFFSETS}, sizes_of(OFFSETS))
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    (fused,) = nodes_of(optimize(plan), Attention)
    assert fused.relative is not None
    assert fused.bias is not None


@pytest.mark.parametrize("reach", [0, 2, 100])
def test_a_window_needs_no_weights(reach: int) -> None:
    arrays = Arrays()
    plan = _attention(arrays, window(reach))
    x = np.random.default_rng(3).standard_normal((ROWS, WIDTH))
    expected = _expected(arrays, x, np.array([window(reach).values]))
    for rules in (RULES, NEEDED):
        found = compute(plan, arrays, rules, {"x": x, "sequences": OFFSETS}, sizes_of(OFFSETS))
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_the_table_is_made_when_the_plan_is_prepared() -> None:
    arrays = Arrays()
    ready = prepared(_attention(arrays, _bucketed(arrays, (2, 1))), arrays)
    working = [type(step.op).__name__ for step in ready.steps if not step.constant]
    assert working.count("SliceColumns") == 3
    others = [name for name in working if name != "SliceColumns"]
    assert others == ["ReadInput", "DenseGemm", "ReadInput", "SequenceAttention"]


def test_constants_of_one_shape_stay_apart() -> None:
    """Arranged tensors are shared by what was done to them, which must tell constants apart."""
    arrays, arranged = Arrays(), {}
    x = np.random.default_rng(3).standard_normal((ROWS, WIDTH))
    found = []
    for rows in (BUCKETS, BUCKETS[::-1]):
        table = arrays.scan("buckets", np.random.default_rng(1).standard_normal((5, HEADS)))
        chosen = Constant(TensorSchema("rows", (5,), (5,), "int32"), rows)
        plan = _attention(arrays, Transpose(Gather(table, chosen), (1, 0)))
        unread = prepared(plan, arrays)
        ready = unread.placed(unread.placement, arranged)
        inputs = {"x": ready.backend.to_device(x), "sequences": ready.backend.to_device(OFFSETS)}
        found.append(ready.backend.to_host(ready.run(inputs, sizes_of(OFFSETS)).data))
    assert not np.allclose(*found)


@pytest.mark.parametrize("block", [1, 3, 100])
@pytest.mark.parametrize("reach", [0, 2])
def test_a_window_over_blocks(reach: int, block: int) -> None:
    arrays = Arrays()
    plan = _attention(arrays, window(reach), linear)
    x = np.random.default_rng(3).standard_normal((ROWS, WIDTH))
    expected = _expected(arrays, x, np.array([window(reach).values]))
    relational = blockwise(plan, tuple(OFFSETS.tolist()), block)
    found = compute(relational, arrays, RELATIONAL, {"x": x})
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_the_form_over_blocks_is_refused_for_vectors_of_distances() -> None:
    encoder = deberta_encoder([4])
    with pytest.raises(UnsupportedError, match=r"vectors of distances.*execution='fused'"):
        blockwise(encoder.plan, (0, 4), 2)


ENCODERS: dict[str, Callable[..., Encoder]] = {
    "mpnet": mpnet_encoder,
    "t5": t5_encoder,
    "t5, gated": partial(t5_encoder, model_type="umt5", feed_forward_proj="gated-gelu"),
    "deberta": deberta_encoder,
    "first deberta": partial(deberta_encoder, model_type="deberta"),
}


@pytest.mark.parametrize("block", [None, (3, 1000), (1, 1), (5, 3)], ids=str)
@pytest.mark.parametrize("kind", ENCODERS)
def test_rules_leave_an_encoder(kind: str, block: tuple[int, int] | None) -> None:
    """What the encoders compute is compared with transformers in ``tests/oracles``."""
    encoder = ENCODERS[kind]([4, 1, 0, 7, 1], block=block, dtype="float64")
    plain = compute(encoder.plan, encoder.arrays, NEEDED, encoder.inputs, encoder.sizes)
    found = compute(encoder.plan, encoder.arrays, RULES, encoder.inputs, encoder.sizes)
    assert np.isfinite(plain).all()
    np.testing.assert_allclose(found, plain, rtol=1e-9, atol=1e-9)


def test_vectors_of_distances_are_projected_once_and_apart() -> None:
    """Once, when a plan is prepared; merged, those of all layers would lie in memory together."""
    encoder = deberta_encoder([4, 3], position_biased_input=False)
    ready = prepared(encoder.plan, encoder.arrays)
    linear = [step for step in ready.steps if type(step.op).__name__ == "LinearGemm"]
    merged = next(step.op for step in linear if not step.constant)
    projected = [step.op for step in linear if step.constant]
    assert merged.out.shape == ("tokens", 3 * 8)
    assert [op.out.shape for op in projected] == [(8, 8)] * 4  # queries and keys of two layers
    read = {s.op.tensor.name for s in ready.steps if type(s.op).__name__ == "ScanBlocks"}
    assert set(encoder.arrays.dense) == read
