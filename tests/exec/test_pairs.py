"""Joins of block keys against loops over all pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gpudb.backend import NumpyBackend
from gpudb.exec.chunks import group_chunks
from gpudb.exec.pairs import all_pairs, equi_join, find, gather, sorted_unique
from gpudb.types import TensorSchema


@st.composite
def relations(draw: st.DrawFn) -> tuple[Any, ...]:
    """Two schemas, keys of some of their blocks, and axes to join."""
    left_ndim, right_ndim = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    count = draw(st.integers(0, min(left_ndim, right_ndim)))
    lefts = draw(st.permutations(range(left_ndim)))[:count]
    rights = draw(st.permutations(range(right_ndim)))[:count]
    shape = [draw(st.integers(0, 3)) for _ in range(left_ndim)]
    other = [draw(st.integers(0, 3)) for _ in range(right_ndim)]
    for a, b in zip(lefts, rights, strict=True):
        other[b] = shape[a]
    sides = []
    for extents in (shape, other):
        schema = TensorSchema("t", tuple(extents), (1,) * len(extents))
        cells = list(np.ndindex(*extents))
        kept = [cell for cell in cells if draw(st.booleans())]
        sides.append((schema, np.array(kept, np.int32).reshape(len(kept), len(extents))))
    return (*sides, tuple(zip(lefts, rights, strict=True)))


@given(relations())
def test_equi_join(case: tuple[Any, ...]) -> None:
    (a, left), (b, right), on = case
    expected = [
        (i, j)
        for i in range(len(left))
        for j in range(len(right))
        if all(left[i, x] == right[j, y] for x, y in on)
    ]
    rows = equi_join(NumpyBackend(), left, right, on)
    assert list(zip(*(r.tolist() for r in rows), strict=True)) == expected
    assert len(expected) <= all_pairs(a, b, on)


@given(relations())
def test_all_pairs_is_the_join_of_full_grids(case: tuple[Any, ...]) -> None:
    (a, _), (b, _), on = case
    full = [np.array(list(np.ndindex(s.grid)), np.int32).reshape(s.blocks, s.ndim) for s in (a, b)]
    assert len(equi_join(NumpyBackend(), *full, on)[0]) == all_pairs(a, b, on)


@given(relations(), st.randoms(use_true_random=False))
def test_find(case: tuple[Any, ...], random: Any) -> None:
    (schema, keys), _, _ = case
    asked = list(np.ndindex(schema.grid))
    random.shuffle(asked)
    wanted = np.array(asked, np.int32).reshape(len(asked), schema.ndim)
    there = [tuple(k) for k in keys.tolist()]
    expected = [there.index(k) if k in there else -1 for k in asked]
    assert find(keys, wanted, schema.grid).tolist() == expected
    twice = np.concatenate([wanted, wanted])
    assert sorted_unique(twice, schema.grid).tolist() == [list(k) for k in sorted(asked)]


@given(st.lists(st.integers(0, 5)))
def test_gather(rows: list[int]) -> None:
    x = np.arange(12.0).reshape(6, 2)
    found = gather(NumpyBackend(), x, np.array(rows, np.int64))
    np.testing.assert_array_equal(found, x[rows].reshape(len(rows), 2))


def test_neighbours_are_a_view() -> None:
    x = np.arange(12.0).reshape(6, 2)
    assert np.shares_memory(gather(NumpyBackend(), x, np.array([2, 3, 4])), x)
    assert not np.shares_memory(gather(NumpyBackend(), x, np.array([2, 4, 3])), x)


@given(st.lists(st.integers(1, 9), max_size=12), st.integers(1, 40 << 20))
def test_parts_cover_every_group_once(counts: list[int], row_nbytes: int) -> None:
    bounds = np.cumsum([0, *counts])
    parts = list(group_chunks(bounds, row_nbytes))
    assert [g for first, last in parts for g in range(first, last)] == list(range(len(counts)))
    for first, last in parts:
        fits = (bounds[last] - bounds[first]) * row_nbytes <= 64 << 20
        assert fits or last == first + 1
