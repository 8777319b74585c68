"""Cutting a column of sequences into batches."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudb.models.batches import Batch, batch_sizes, plan_batches
from gpudb.models.limits import Limits, batch_limits
from tests.tiny_plans import offsets_of

LENGTHS = st.lists(st.integers(0, 12), max_size=40)


def batches_of(lengths: list[int], budget: int) -> list[Batch]:
    return list(plan_batches(offsets_of(lengths), budget))


@given(lengths=LENGTHS, budget=st.integers(1, 30))
def test_every_row_is_in_one_batch_at_its_place(lengths: list[int], budget: int) -> None:
    offsets = offsets_of(lengths)
    batches = list(plan_batches(offsets, budget))
    assert sorted(np.concatenate([[], *(b.sequences for b in batches)])) == [*range(len(lengths))]
    for batch in batches:
        assert batch.offsets[0] == 0
        assert len(batch.offsets) == len(batch.sequences) + 1
        assert batch.offsets[-1] == len(batch.rows) == len(batch.positions)
        assert batch.offsets.dtype == batch.positions.dtype == np.int32
        for i, sequence in enumerate(batch.sequences):
            part = slice(batch.offsets[i], batch.offsets[i + 1])
            expected = [*range(offsets[sequence], offsets[sequence + 1])]
            assert batch.rows[part].tolist() == expected
            assert batch.positions[part].tolist() == [*range(len(expected))]
        leaf = np.arange(100, 101 + offsets[-1])
        np.testing.assert_array_equal(leaf[batch.places], leaf[batch.rows])
        moved = batch.after(3, 1)
        np.testing.assert_array_equal(moved.sequences, batch.sequences + 3)
        np.testing.assert_array_equal(leaf[moved.places], leaf[batch.rows] + 1)


@given(count=st.integers(1, 9), length=st.integers(0, 5), budget=st.integers(1, 30))
def test_sequences_of_one_length_are_not_copied(count: int, length: int, budget: int) -> None:
    for batch in batches_of([length] * count, budget):
        leaf = np.zeros(count * length)
        assert isinstance(batch.places, slice)
        assert np.shares_memory(leaf[batch.places], leaf) or not length


@given(lengths=LENGTHS, budget=st.integers(1, 30))
def test_batches_keep_the_budget_and_fill_it(lengths: list[int], budget: int) -> None:
    batches = batches_of(lengths, budget)
    for batch in batches:
        assert len(batch.rows) <= budget or len(batch.sequences) == 1
    for batch, following in pairwise(batches):
        next_length = int(following.offsets[1])
        assert len(batch.rows) + next_length > budget


def test_longest_first_and_equal_lengths_in_their_order() -> None:
    order = [int(s) for b in batches_of([2, 5, 2, 0, 7, 5], 6) for s in b.sequences]
    assert order == [4, 1, 5, 0, 2, 3]


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([4], (4, 1, 16, 4)),
        ([3, 1, 2], (6, 3, 14, 3)),
        ([0, 0], (0, 2, 0, 0)),
    ],
    ids=str,
)
def test_sizes(lengths: list[int], expected: tuple[int, int, int, int]) -> None:
    (batch,) = batches_of(lengths, 100)
    tokens, sequences, pairs, longest = expected
    sizes = batch_sizes(tokens=tokens, sequences=sequences, pairs=pairs, longest=longest)
    assert batch.sizes == sizes
    assert sizes["offsets"] == sequences + 1


def test_no_sequences_are_no_batches() -> None:
    assert batches_of([], 10) == []


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("tokens", [0, 1, 99, 100, 101, 200, 201, 350, 10_000])
def test_a_column_is_cut_evenly_among_threads(tokens: int, threads: int, shared: bool) -> None:
    limits = Limits(threads, 100, 1 << 30)
    budget = limits.budget(1, tokens, shared=shared)
    assert 1 <= budget <= 100
    batches = -(-tokens // budget)
    if shared and tokens <= 100:
        assert batches == min(1, tokens)
    elif tokens > threads * 100:  # whole rounds: no thread waits for the last batch of another
        rounds = -(-tokens // (threads * 100))
        assert rounds * threads - batches < rounds
    else:
        assert batches <= threads
    assert limits.budget(250, tokens, shared=shared) >= 250


def test_only_what_can_share_a_batch_does() -> None:
    devices = {
        name: batch_limits(name, 2, 0, 1).shares_batches for name in ("jit", "numpy", "cuda")
    }
    assert devices == {"jit": True, "numpy": False, "cuda": False}
