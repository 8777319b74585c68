"""The blockwise plan of an encoder means what the stored plan means."""

from __future__ import annotations

import numpy as np
import pytest

from gpudb.models.architecture import SEQUENCES
from gpudb.plan.blockwise import ENDS, SEGMENTS, SHARES, STARTED, STARTS, blockwise
from gpudb.plan.node import Node, walk
from gpudb.plan.relational import Contract, Join
from gpudb.plan.rules import RELATIONAL, RULES, optimize
from gpudb.plan.sequence import POOLINGS, Attention, Context, Normalize, Pool, Scores, Softmax
from gpudb.types import HostArray
from tests.dense import dense
from tests.tiny_plans import (
    Encoder,
    bert_encoder,
    compute,
    mpnet_encoder,
    t5_encoder,
    torch_encoder,
)

LENGTHS = {
    "one token": [1],
    "ragged": [3, 1, 7, 2],
    "a block": [4, 4],
    "beside a block": [3, 5, 4],
    "empty sequences": [0, 5, 0, 0, 1, 0],
}


def batch_arrays(encoder: Encoder) -> dict[str, HostArray]:
    """Weights, and the inputs of a blockwise plan."""
    offsets = encoder.offsets
    lengths = np.diff(offsets)
    return {
        **encoder.arrays.dense,
        **encoder.inputs,
        SEGMENTS: np.repeat(np.arange(len(lengths)), lengths).astype(np.int32),
        STARTS: offsets[:-1][lengths > 0],
        ENDS: offsets[1:][lengths > 0] - 1,
        STARTED: np.flatnonzero(lengths).astype(np.int32),
        SHARES["root_mean"]: np.concatenate([np.full(n, max(n, 1) ** -0.5) for n in lengths]),
        SHARES["rising_mean"]: np.concatenate(
            [np.arange(1, n + 1) / np.arange(1, n + 1).sum() for n in lengths]
        ),
    }


@pytest.mark.parametrize("block", [1, 2, 3, 4, 100])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
@pytest.mark.parametrize("build", [bert_encoder, torch_encoder, mpnet_encoder, t5_encoder])
def test_hidden_states_are_those_of_the_fused_plan(build, lengths, block) -> None:
    encoder = build(lengths, dtype="float64")
    fused = compute(encoder.plan, encoder.arrays, RULES, encoder.inputs, encoder.sizes)
    plan = blockwise(encoder.plan, tuple(encoder.offsets.tolist()), block)
    np.testing.assert_allclose(dense(plan, batch_arrays(encoder)), fused, rtol=1e-9, atol=1e-12)
    rewritten = optimize(plan, RELATIONAL)
    np.testing.assert_allclose(
        dense(rewritten, batch_arrays(encoder)), fused, rtol=1e-9, atol=1e-12
    )
    run = compute(plan, encoder.arrays, RELATIONAL, batch_arrays(encoder))
    np.testing.assert_allclose(run, fused, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", POOLINGS)
def test_pooled_vectors_are_those_of_the_fused_plan(kind: str) -> None:
    encoder = bert_encoder([0, 5, 1, 0, 9], dtype="float64")
    pooled: Node = Normalize(Pool(encoder.plan, SEQUENCES, kind), 1e-12)
    fused = compute(pooled, encoder.arrays, RULES, encoder.inputs, encoder.sizes)
    plan = blockwise(pooled, tuple(encoder.offsets.tolist()), 4)
    np.testing.assert_allclose(dense(plan, batch_arrays(encoder)), fused, rtol=1e-9, atol=1e-12)
    run = compute(plan, encoder.arrays, RELATIONAL, batch_arrays(encoder))
    np.testing.assert_allclose(run, fused, rtol=1e-9, atol=1e-12)


def test_nothing_but_algebra_is_left() -> None:
    encoder = bert_encoder([5, 3])
    plan = blockwise(Pool(encoder.plan, SEQUENCES, "mean"), (0, 5, 8), 2)
    kinds = {type(node) for node in walk(plan)}
    assert not kinds & {Scores, Softmax, Context, Attention, Pool}
    assert Join in kinds
    assert all(max(node.schema.block_numbers) <= 2 for node in walk(plan) if isinstance(node, Join))
    contracts = [node for node in walk(optimize(plan, RELATIONAL)) if isinstance(node, Contract)]
    assert [len(node.tests) for node in contracts] == [1, 0] * 2  # scores, context of each layer


def test_only_blocks_that_share_a_sequence_meet() -> None:
    encoder = bert_encoder([2] * 6)
    plan = optimize(blockwise(encoder.plan, (0, 2, 4, 6, 8, 10, 12), 2), RELATIONAL)
    (scores, *_) = (node for node in walk(plan) if isinstance(node, Contract) and node.tests)
    (((_, _, pairs),)) = scores.tests
    assert pairs == tuple((i, i) for i in range(6))


def test_offsets_of_the_batch_bind_the_plan() -> None:
    encoder = bert_encoder([5, 3])
    plan = blockwise(encoder.plan, (0, 5, 8), 16)
    assert all(node.schema.is_bound for node in walk(plan))
    assert plan.schema.numbers == (8, 8)
