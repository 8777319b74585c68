"""Blocks, axes and slices against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.errors import InputError, SchemaError, UnsupportedError
from tests.relation.expressions import ArrayEngine, check
from tests.tiny_plans import kinds


@pytest.fixture
def engine():
    return ArrayEngine()


def test_blocks_change_and_numbers_do_not(engine):
    a = engine.random("a", (7, 5), (3, 2))
    for made, block in [
        (a.reblock(2, 4), (2, 4)),
        (a.reblock((9, 1)), (9, 1)),
        (a.tile(-1, 5), (3, 5)),
        (a.tile(0, np.int64(1)), (1, 2)),
    ]:
        assert made.schema.block == block
        assert kinds(made.plan) == ["Scan", "Reblock"]
        check(made, engine["a"])


def test_axes_change_places(engine):
    a = engine.random("a", (3, 4, 5), (2, 3, 2))
    check(a.T, engine["a"].T)
    check(a.transpose(1, -1, 0), engine["a"].transpose(1, 2, 0))
    check(a.transpose((2, 0, 1)), engine["a"].transpose(2, 0, 1))


def test_split_and_merge(engine):
    a = engine.random("a", (3, 12, 2), (2, 4, 1))
    check(a.split_axis(1, 3), engine["a"].reshape(3, 4, 3, 2))
    check(a.split_axis(-2, 12), engine["a"].reshape(3, 1, 12, 2))
    check(a.merge_axes(0), engine["a"].reshape(36, 2))
    check(a.merge_axes(-2), engine["a"].reshape(3, 24))


def test_concat(engine):
    a, b = engine.random("a", (3, 4), (2, 3)), engine.random("b", (5, 4), (3, 3))
    check(a.concat([b, a]), np.concatenate([engine["a"], engine["b"], engine["a"]]))
    check(a.concat(a, -1), np.concatenate([engine["a"], engine["a"]], 1))
    assert len(kinds(a.concat([b]).plan)) == 3


@pytest.mark.parametrize(
    ("shape", "new"),
    [((4,), (3, 4)), ((1, 4), (3, 4)), ((3, 1), (2, 3, 5)), ((1,), (3,)), ((2, 3), (2, 3))],
    ids=str,
)
def test_broadcast_to(engine, shape, new):
    a = engine.random("a", shape, (2,) * len(shape))
    check(a.broadcast_to(new), np.broadcast_to(engine["a"], new))


def test_broadcast_to_blocks(engine):
    made = engine.random("a", (4,), (3,)).broadcast_to((5, 4), block=(2, 3))
    assert made.schema.block == (2, 3)
    check(made, np.broadcast_to(engine["a"], (5, 4)))


INDICES = [
    np.s_[2],
    np.s_[-1],
    np.s_[:],
    np.s_[...],
    np.s_[()],
    np.s_[1:4],
    np.s_[:, 2],
    np.s_[..., -2],
    np.s_[0, ..., 1:],
    np.s_[1:-1, ::1, 2:9],
    np.s_[3:1],
    np.s_[:, 1, 2],
    np.s_[-3:, -1, np.int64(0)],
    np.s_[4:99, -99:2],
]


@pytest.mark.parametrize("index", INDICES, ids=str)
@pytest.mark.parametrize("block", [(2, 2, 2), (5, 4, 3), (1, 1, 1), (3, 9, 2)], ids=str)
def test_indices_as_in_numpy(engine, index, block):
    a = engine.random("a", (5, 4, 3), block)
    check(a[index], engine["a"][index])


def test_a_whole_slice_is_no_step_and_a_single_element_is_a_vector(engine):
    a = engine.random("a", (5, 4), (2, 2))
    assert a[:, ...].plan is a.plan
    assert kinds(a[1:].plan) == ["Scan", "Slice"]
    assert a[1, 2].shape == (1,)
    check(a[1, 2], engine["a"][1, 2])
    check(a[0][-1], engine["a"][0, -1])


def test_rows_are_iterated(engine):
    a = engine.random("a", (3, 2), (2, 2))
    rows = list(a)
    assert len(rows) == 3
    for row, expected in zip(rows, engine["a"], strict=True):
        check(row, expected)


@settings(max_examples=150)
@given(data=st.data())
def test_random_slices_of_random_blocks(data):
    shape = tuple(data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=3)))
    engine = ArrayEngine()
    a = engine.random("a", shape, tuple(data.draw(st.integers(1, 7)) for _ in shape))
    bound = st.none() | st.integers(-8, 8)
    index = tuple(
        data.draw(st.builds(slice, bound, bound) | st.integers(-e, e - 1))
        if e
        else data.draw(st.builds(slice, bound, bound))
        for e in shape
    )
    check(a[index], engine["a"][index])


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda a: a[6], InputError, "position 6 along axis 0 .*expected -6 to 5"),
        (lambda a: a[0, 0, 0], InputError, "found 3 indices .*at most 2"),
        (lambda a: a[..., ...], InputError, "2 times"),
        (lambda a: a[::2], UnsupportedError, "step 2"),
        (lambda a: a[None], UnsupportedError, "NoneType"),
        (lambda a: a[True], UnsupportedError, "bool"),
        (lambda a: a[[1, 2]], UnsupportedError, r"list .*take\(\)"),
        (lambda a: a[1.0:], InputError, "found 1.0"),
        (lambda a: a.reblock(2), SchemaError, "one block extent per axis"),
        (lambda a: a.reblock(0, 2), SchemaError, "blocks >= 1"),
        (lambda a: a.tile(2, 2), InputError, "tile: a .* has no axis 2"),
        (lambda a: a.tile(0, 1.5), InputError, "found 1.5"),
        (lambda a: a.transpose(0, 0), SchemaError, "no permutation"),
        (lambda a: a.concat(a[:, 1:]), SchemaError, "must agree"),
        (lambda a: a.concat([3]), InputError, "found int"),
        (lambda a: a.broadcast_to((4,)), SchemaError, "cannot become"),
        (lambda a: a.broadcast_to((5, 4)), SchemaError, "cannot become"),
        (lambda a: a.broadcast_to(()), SchemaError, "cannot become"),
        (lambda a: a.split_axis(0, 4), SchemaError, "rows of 4"),
        (lambda a: a.merge_axes(1), SchemaError, "no axes 1 and the next"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_clear_error(engine, call, kind, message):
    with pytest.raises(kind, match=message):
        call(engine.random("a", (6, 4), (3, 2)))
