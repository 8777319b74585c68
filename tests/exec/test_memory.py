"""What a plan says it will hold, against what NumPy allocates while it runs."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from gpudb.exec.prepared import PreparedPlan
from gpudb.exec.profile import Profile
from gpudb.kernels.rows import PIECE_NBYTES
from gpudb.plan.node import Node
from gpudb.plan.rules import NEEDED, RELATIONAL, RULES, Rule
from gpudb.plan.tensor import Map, Matmul, Reblock, Zip
from tests.tiny_plans import Arrays, bert_encoder, prepared, torch_encoder

SLACK = 4 * PIECE_NBYTES + (64 << 10)
"""What a kernel keeps in the cache for the piece it works on (GELU: four arrays), and Python's
objects. The plans below hold megabytes."""

WIDE: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 256, "num_attention_heads": 4}

SIDE = 100
ONE = SIDE * SIDE * 8
"""Bytes of one square matrix."""


def traced(plan: PreparedPlan, inputs: Any = None, sizes: Any = None) -> tuple[int, Profile]:
    """Most bytes that a run allocated at once, and what it recorded."""
    profile = Profile()
    plan.run(inputs or {}, sizes or {}, Profile())  # what is made once and stays, as by BLAS
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        plan.run(inputs or {}, sizes or {}, profile)
        return tracemalloc.get_traced_memory()[1] - before, profile
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("rules", [RULES, NEEDED], ids=["fused", "needed"])
@pytest.mark.parametrize(
    "lengths",
    [[256] * 8, [1] * 4000, [3, 500, 40, 1, 1, 77] * 4, [1024]],
    ids=["even", "ones", "odd", "one"],
)
def test_an_encoder_holds_what_was_projected(lengths: list[int], rules: tuple[Rule, ...]) -> None:
    encoder = bert_encoder(lengths, max_position_embeddings=1024, **WIDE)
    plan = prepared(encoder.plan, encoder.arrays, rules)
    projected = plan.peak_nbytes(encoder.sizes)
    found, profile = traced(plan, encoder.inputs, encoder.sizes)
    assert found <= projected + SLACK
    assert projected <= 2 * found + SLACK  # or what fits would be refused
    assert profile.peak_nbytes <= projected


@pytest.mark.parametrize("norm_first", [False, True], ids=["post-norm", "pre-norm"])
def test_a_torch_encoder_holds_what_was_projected(norm_first: bool) -> None:
    encoder = torch_encoder([200, 7, 300], d_model=64, nhead=4, norm_first=norm_first)
    plan = prepared(encoder.plan, encoder.arrays)
    projected = plan.peak_nbytes(encoder.sizes)
    found, _ = traced(plan, encoder.inputs, encoder.sizes)
    assert found <= projected + SLACK
    assert projected <= 2 * found + SLACK


@pytest.mark.parametrize("share", [1.0, 0.3])
@pytest.mark.parametrize("block", [(64, 64), (50, 70), (1000, 10)], ids=str)
@pytest.mark.parametrize("rules", [RULES, RELATIONAL], ids=["fused", "relational"])
def test_products_in_blocks_hold_no_more_than_projected(
    rules: tuple[Rule, ...], block: tuple[int, int], share: float
) -> None:
    arrays = Arrays()
    random = np.random.default_rng(0)
    x, y = random.standard_normal((2, 600, 600))
    x[int(600 * share) :] = 0
    scans = [arrays.scan(n, v, block, sparse=True) for n, v in (("x", x), ("y", y))]
    plan = prepared(Map(Matmul(Map(scans[0], "tanh"), scans[1]), "relu"), arrays, rules)
    found, profile = traced(plan)
    assert found <= plan.peak_nbytes({}) + SLACK
    assert profile.peak_nbytes <= plan.peak_nbytes({})


def chain(length: int, late: bool = False) -> PreparedPlan:
    """A product and ``length`` functions after it; ``late``: then added to the product."""
    arrays = Arrays()
    a = arrays.scan("a", np.ones((SIDE, SIDE)))
    product: Node = Matmul(a, a)
    plan = product
    for _ in range(length):
        plan = Map(plan, "negative")
    return prepared(Zip(product, plan, "add") if late else plan, arrays, NEEDED)


def test_a_longer_chain_holds_no_more() -> None:
    # A step's input and its result, not what came before.
    assert chain(2).peak_nbytes({}) == chain(20).peak_nbytes({}) < 5 * ONE


def test_a_result_that_is_read_late_is_held_until_then() -> None:
    more = chain(5, late=True).peak_nbytes({}) - chain(5).peak_nbytes({})
    assert ONE <= more <= ONE + 3 * PIECE_NBYTES  # adding goes through pieces of three arrays


def test_the_peak_grows_with_the_batch() -> None:
    peaks = []
    for tokens in (0, 1, 64, 512):
        encoder = bert_encoder([tokens], max_position_embeddings=1024, **WIDE)
        peaks.append(prepared(encoder.plan, encoder.arrays).peak_nbytes(encoder.sizes))
    assert peaks[0] < peaks[1] < peaks[2] < peaks[3]


@pytest.mark.parametrize("block", [(SIDE, SIDE), (25, SIDE), (30, SIDE)], ids=str)
def test_row_panels_are_resident_as_they_are_stored(block: tuple[int, int]) -> None:
    arrays = Arrays()
    a = arrays.scan("a", np.ones((SIDE, SIDE)), block)
    b = arrays.scan("b", np.ones((SIDE, 10)))
    plan = prepared(Matmul(a, b), arrays)
    panels = -(-SIDE // block[0]) * block[0] * SIDE * 8  # the last one's padding lies there too
    assert plan.resident_nbytes == panels + SIDE * 10 * 8


def test_a_stored_tensor_that_is_read_twice_is_resident_once() -> None:
    arrays = Arrays()
    a = arrays.scan("a", np.ones((SIDE, SIDE)))
    plan = prepared(Matmul(Map(Matmul(a, a), "relu"), a), arrays)
    assert plan.resident_nbytes == ONE


def test_a_tensor_that_is_cut_again_is_resident_in_its_new_blocks() -> None:
    arrays = Arrays()
    a = arrays.scan("a", np.ones((SIDE, SIDE)), (30, 40))
    plan = prepared(Map(Reblock(a, (SIDE, 50)), "exp"), arrays, NEEDED)
    assert plan.resident_nbytes == ONE  # and not the stored blocks, which only preparing reads


def test_preparing_keeps_what_is_called_resident() -> None:
    arrays = Arrays()
    values = np.ones((500, 500))
    a = arrays.scan("a", values, (30, 40))
    plan = Map(Reblock(a, (500, 500)), "exp")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        ready = prepared(plan, arrays, NEEDED)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert ready.resident_nbytes <= kept <= ready.resident_nbytes + SLACK
