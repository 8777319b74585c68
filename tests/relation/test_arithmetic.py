"""Python's operators against NumPy's."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.errors import GpudbError, InputError, SchemaError
from gpudb.plan.serialize import fingerprint
from tests.relation.expressions import ArrayEngine, check
from tests.tiny_plans import kinds

OPERATORS = (operator.add, operator.sub, operator.mul, operator.truediv)

BROADCASTS = [
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((4,), (3, 4)),
    ((3, 1), (1, 4)),
    ((3, 4), (1, 4)),
    ((3, 4), (3, 1)),
    ((3, 4), (1,)),
    ((1,), (5,)),
    ((2, 3, 4), (3, 1)),
    ((2, 1, 4), (1, 3, 1)),
    ((0, 4), (4,)),
    ((0, 4), (1, 1)),
]


@pytest.mark.parametrize("fn", OPERATORS)
@pytest.mark.parametrize("shapes", BROADCASTS, ids=str)
@pytest.mark.parametrize("block", [None, 2, 3])
def test_two_tensors_broadcast_as_in_numpy(fn, shapes, block):
    engine = ArrayEngine()
    a, b = (
        engine.random(name, shape, block and (block,) * len(shape))
        for name, shape in zip("ab", shapes, strict=True)
    )
    check(fn(a, b), fn(engine["a"], engine["b"]))


def test_what_needs_no_repeating_is_not_repeated():
    engine = ArrayEngine()
    a, v = engine.random("a", (3, 4), (2, 2)), engine.random("v", (4,))
    assert kinds((a + v).plan) == ["Scan", "Scan", "Zip"]
    assert kinds((v + a).plan) == ["Scan", "Broadcast", "Scan", "Zip"]
    column = engine.random("column", (3, 1), (1, 1))
    wide = (column * engine.random("row", (1, 5), (1, 2))).plan
    assert wide.schema.block == (1, 2)  # along each axis as the side that has it


@pytest.mark.parametrize("fn", OPERATORS)
@pytest.mark.parametrize("value", [2, 0.5, -3, np.float32(0.25), np.int64(7), np.array(1.5)])
def test_numbers_on_either_side(fn, value):
    engine = ArrayEngine()
    a = engine.tensor("a", np.array([[1.0, -2.0, 0.5]] * 5), (2, 2))
    check(fn(a, value), fn(engine["a"], value))
    check(fn(value, a), fn(value, engine["a"]))
    assert type((a + value).plan.value) is float


def test_a_number_on_the_left_of_a_sum_or_product_is_the_same_plan():
    a = ArrayEngine().random("a", (3,))
    assert fingerprint((2 + a).plan) == fingerprint((a + 2).plan)
    assert fingerprint((2 * a).plan) == fingerprint((a * 2).plan)
    assert fingerprint((2 - a).plan) != fingerprint((a - 2).plan)


def test_special_values_pass_through():
    engine = ArrayEngine()
    a = engine.tensor("a", np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1.0]), (4,))
    check(a.maximum(0), np.maximum(engine["a"], 0))
    check(a.minimum(a * 2), np.minimum(engine["a"], engine["a"] * 2))
    check(-a, -engine["a"])
    check(abs(a), np.abs(engine["a"]))
    with np.errstate(divide="ignore"):
        check(1 / abs(a), 1 / np.abs(engine["a"]))


MATRICES = [
    ((3, 4), (4, 5)),
    ((4,), (4,)),
    ((4,), (4, 5)),
    ((3, 4), (4,)),
    ((2, 3, 4), (2, 4, 5)),
    ((2, 3, 4), (4, 5)),
    ((3, 4), (2, 4, 5)),
    ((1, 3, 4), (2, 4, 5)),
    ((2, 3, 4), (1, 4, 5)),
    ((1, 3, 4), (1, 4, 5)),
    ((2, 3, 4), (4,)),
    ((4,), (2, 4, 5)),
    ((6, 1, 3, 4), (2, 4, 5)),
    ((2, 3, 4), (6, 1, 4, 5)),
    ((0, 4), (4, 5)),
    ((3, 0), (0, 5)),
    ((2, 3, 0), (2, 0, 5)),
    ((1, 1), (1, 1)),
]


@pytest.mark.parametrize("shapes", MATRICES, ids=str)
@pytest.mark.parametrize("block", [None, 1, 2, 7])
def test_matmul_of_any_ranks(shapes, block):
    engine = ArrayEngine()
    a, b = (
        engine.random(name, shape, block and (block,) * len(shape))
        for name, shape in zip("ab", shapes, strict=True)
    )
    check(a @ b, engine["a"] @ engine["b"])


@settings(max_examples=150)
@given(data=st.data())
def test_matmul_and_sums_of_random_shapes(data):
    engine = ArrayEngine()
    extent, step = st.integers(1, 5), st.integers(1, 6)
    batch = data.draw(st.lists(extent, max_size=2))
    m, k, n = (data.draw(extent) for _ in range(3))

    def stretched(axes):
        kept = axes[data.draw(st.integers(0, len(axes))) :]
        return tuple(data.draw(st.sampled_from((e, 1))) for e in kept)

    a, b = (
        engine.random(name, shape, tuple(data.draw(step) for _ in shape))
        for name, shape in (("a", (*stretched(batch), m, k)), ("b", (*stretched(batch), k, n)))
    )
    check(a @ b, engine["a"] @ engine["b"])
    x, y = (
        engine.random(name, shape, tuple(data.draw(step) for _ in shape))
        for name, shape in (("x", (*stretched(batch), m)), ("yy", (*stretched(batch), m)))
    )
    check(x - y, engine["x"] - engine["yy"])


def test_two_matrices_are_one_product():
    engine = ArrayEngine()
    a, b = engine.random("a", (3, 4)), engine.random("b", (4, 5))
    assert kinds((a @ b).plan) == ["Scan", "Scan", "Matmul"]
    batched = engine.random("c", (2, 3, 4)) @ engine.random("d", (2, 4, 5))
    assert kinds(batched.plan) == ["Scan", "Scan", "Contract"]


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda a, b: a + b, SchemaError, r"add: a is 3×4 .* b is 4×3 .*do not broadcast"),
        (lambda a, b: a @ a, SchemaError, "inner extents 4 and 3"),
        (lambda a, b: a[0] @ b[:, 0][:2], SchemaError, "inner extents 4 and 2"),
        (lambda a, b: a + np.ones(4), InputError, "ndarray.*create_tensor"),
        (lambda a, b: np.ones((3, 4)) + a, InputError, "ndarray.*create_tensor"),
        (lambda a, b: np.ones((3, 3)) @ a, InputError, "ndarray.*create_tensor"),
        (lambda a, b: a @ [1.0], InputError, "list.*create_tensor"),
        (lambda a, b: a * "2", InputError, "found str; expected a number"),
        (lambda a, b: a * True, InputError, "bool"),
        (lambda a, b: a * 1j, InputError, "complex"),
        (lambda a, b: a * None, InputError, "NoneType"),
        (lambda a, b: a * 10**400, InputError, "expected a number"),
        (lambda a, b: a + a.cast("int32"), SchemaError, "int32"),
        (lambda a, b: a + ArrayEngine().random("z", (4,)), InputError, "two different databases"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_clear_error(call, kind, message):
    engine = ArrayEngine()
    a, b = engine.random("a", (3, 4)), engine.random("b", (4, 3))
    with pytest.raises(kind, match=message) as caught:
        call(a, b)
    assert isinstance(caught.value, GpudbError)


def test_batch_axes_that_do_not_broadcast_are_named():
    engine = ArrayEngine()
    a, b = engine.random("a", (2, 3, 4)), engine.random("b", (3, 4, 5))
    with pytest.raises(SchemaError, match=r"matmul: a is 2×3×4.*\(2,\) and \(3,\)"):
        a @ b
