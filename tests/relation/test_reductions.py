"""Reductions, softmax and layer-norm against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from gpudb.errors import InputError, SchemaError
from tests.relation.expressions import ArrayEngine, check

FUNCTIONS = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "argmax": np.argmax,
    "var": np.var,
    "norm": lambda x, axis: np.sqrt((x * x).sum(axis)),
    "count": lambda x, axis: np.full(np.delete(x.shape, axis), x.shape[axis]),
}


@pytest.fixture
def engine():
    return ArrayEngine()


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("block", [(2, 3, 2), (5, 4, 3), (1, 1, 1), (4, 9, 2)], ids=str)
def test_along_an_axis(engine, name, axis, block):
    a = engine.random("a", (5, 4, 3), block)
    made = getattr(a, name)(axis)
    check(made, FUNCTIONS[name](engine["a"], axis))
    assert made.dtype == ("int64" if name in ("argmax", "count") else "float64")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_vector_becomes_one_element(engine, name):
    a = engine.random("a", (5,), (2,))
    check(getattr(a, name)(0), FUNCTIONS[name](engine["a"], 0))


@pytest.mark.parametrize("block", [(2, 2), (5, 7), (1, 3)], ids=str)
def test_softmax_and_layer_norm(engine, block):
    a = engine.random("a", (5, 7), block)
    gamma, beta = engine.random("gamma", (7,), (3,)), engine.random("beta", (7,), (2,))
    x = engine["a"]
    e = np.exp(x - x.max(1, keepdims=True))
    check(a.softmax(), e / e.sum(1, keepdims=True))
    centred = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-3)
    check(a.layer_norm(gamma, beta, 1e-3), centred * engine["gamma"] + engine["beta"])


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda a: a.sum(2), InputError, "sum: a .* has no axis 2; expected -2 to 1"),
        (lambda a: a.sum(None), InputError, "found None; expected a whole number"),
        (lambda a: a.cast("int32").sum(0), SchemaError, "floating-point"),
        (lambda a: a[3:3].max(0), SchemaError, "empty and has no max"),
        (lambda a: a.layer_norm(a[0], a[:, 0]), SchemaError, "LayerNorm: .*vector"),
        (lambda a: a.layer_norm(1.0, a[0]), InputError, "found float"),
        (lambda a: a.layer_norm(a[0], a[0], "x"), InputError, "expected a number"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(engine, call, kind, message):
    with pytest.raises(kind, match=message):
        call(engine.random("a", (6, 4), (3, 2)))
