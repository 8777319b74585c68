"""Resident, streamed or refused: decided from sizes alone."""

from __future__ import annotations

import numpy as np
import pytest

from gpudb.backend import NumpyBackend
from gpudb.errors import MemoryBudgetError
from gpudb.exec.graph import Step
from gpudb.exec.placement import SMALL_NBYTES, find_weights, owner, panel_parts, place
from gpudb.exec.prepared import join_keys
from gpudb.lower import lower
from gpudb.plan.rules import RULES, optimize
from gpudb.plan.tensor import Map, Matmul, Zip
from tests.tiny_plans import Arrays

SIDE = 512
SQUARE = SIDE * SIDE * 8


def _chain(length: int, rows: int = SIDE) -> tuple[Step, ...]:
    """``abs(x) @ w0.T @ w1.T …``, each weight of ``SQUARE`` bytes, in panels of ``rows`` rows."""
    arrays = Arrays()
    zeros = np.zeros((SIDE, SIDE))
    plan = Map(arrays.scan("x", zeros[:1]), "abs")
    for number in range(length):
        plan = Matmul(plan, arrays.scan(f"w{number}", zeros, (rows, SIDE)), True)
    return join_keys(lower(optimize(plan, RULES)), NumpyBackend(), arrays).steps


def test_what_fits_is_resident() -> None:
    steps = _chain(4)
    placed = place(steps, {}, 1 << 30)
    assert (placed.mode, placed.panel_nbytes, placed.note) == ("resident", {}, "")
    assert placed.held_nbytes == 4 * SQUARE + SIDE * 8
    assert place(steps, {}, placed.needed_nbytes).mode == "resident"
    assert place(steps, {}, placed.needed_nbytes - 1).mode == "streamed"


def test_streaming_holds_a_weight_and_the_next_one() -> None:
    placed = place(_chain(9), {}, 3 * SQUARE)
    assert placed.mode == "streamed"
    assert placed.held_nbytes == SIDE * 8 < SMALL_NBYTES  # x stays
    assert 2 * SQUARE < placed.run_nbytes < 2 * SQUARE + SMALL_NBYTES
    assert f"of {3 * SQUARE:,} bytes" in placed.note


def test_every_run_at_once_counts() -> None:
    steps = _chain(9)
    one, two = (place(steps, {}, 5 * SQUARE, runs=n) for n in (1, 2))
    assert one.needed_nbytes - one.held_nbytes == one.run_nbytes
    assert two.needed_nbytes - two.held_nbytes == 2 * one.run_nbytes
    assert place(steps, {}, 4 * SQUARE, runs=2).mode == "refused"


def test_a_weight_that_is_large_by_itself_comes_in_panels() -> None:
    limit = SQUARE // 2
    assert place(_chain(3), {}, limit).mode == "refused"
    placed = place(_chain(3, rows=8), {}, limit)
    assert placed.mode == "streamed"
    assert len(placed.panel_nbytes) == 3
    assert placed.needed_nbytes <= limit


def test_a_refusal_names_both_numbers() -> None:
    placed = place(_chain(3), {}, 1000)
    assert placed.needed_nbytes > 1000
    with pytest.raises(MemoryBudgetError) as caught:
        placed.check("computing y")
    for part in ("computing y", f"{placed.needed_nbytes:,}", "1,000", "streamed", "resident"):
        assert part in str(caught.value)


def test_a_weight_lives_from_its_first_reader_to_its_last() -> None:
    arrays = Arrays()
    values = np.zeros((SIDE, SIDE))
    w = arrays.scan("w", values, (8, SIDE))
    plan = Matmul(Matmul(Map(arrays.scan("x", values[:1]), "abs"), w, True), w, True)
    twice = optimize(Zip(plan, plan, "add"), RULES)
    steps = join_keys(lower(twice), NumpyBackend(), arrays).steps
    (weight,) = (x for x in find_weights(steps) if x.nbytes == SQUARE)
    products = [i for i, s in enumerate(steps) if "Gemm" in type(s.op).__name__]
    assert [weight.first, weight.last] == products
    assert weight.reader is None  # two steps read it
    assert owner(steps, weight.number) == weight.number
    assert panel_parts(steps, weight.number) == [weight.number]


def test_blocks_that_are_missing_take_no_bytes() -> None:
    arrays = Arrays()
    values = np.zeros((SIDE, SIDE))
    values[:8] = 1
    x = arrays.scan("x", values, (8, SIDE), sparse=True)
    steps = join_keys(lower(Map(x, "abs")), NumpyBackend(), arrays).steps
    placed = place(steps, {}, 1 << 30)
    assert (placed.held_nbytes, placed.run_nbytes) == (8 * SIDE * 8, 8 * SIDE * 8)
