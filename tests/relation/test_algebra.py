"""The relational methods against what they mean on dense arrays."""

from __future__ import annotations

import numpy as np
import pytest

from gpudb.errors import InputError, SchemaError
from tests.relation.expressions import ArrayEngine, check
from tests.tiny_plans import kinds


@pytest.fixture
def engine():
    return ArrayEngine()


def masked(values, block, passes):
    """Blocks whose key does not pass become zero."""
    out = values.copy()
    for key in np.ndindex(tuple(-(-e // b) for e, b in zip(values.shape, block, strict=True))):
        if not passes(*key):
            out[tuple(slice(k * b, (k + 1) * b) for k, b in zip(key, block, strict=True))] = 0
    return out


@pytest.mark.parametrize(
    ("tests", "equal", "passes"),
    [
        ((), {"i0": 1}, lambda i, j: i == 1),
        ((), {"i0": 1, "i1": 0}, lambda i, j: i == 1 and j == 0),
        ((), {"i1": (0, 2)}, lambda i, j: j in (0, 2)),
        ((), {"i1": np.array([0, 2])}, lambda i, j: j in (0, 2)),
        ((), {"i0": ()}, lambda i, j: False),
        ((("i1", ">=", 1),), {}, lambda i, j: j >= 1),
        (((-1, "!=", np.int64(1)),), {"i0": 0}, lambda i, j: j != 1 and i == 0),
        ((("i0", "<=", "i1"),), {}, lambda i, j: i <= j),
        ((("i0", "==", 9),), {}, lambda i, j: i == 9),
        ((["i0", "in", range(2)],), {}, lambda i, j: i in (0, 1)),
    ],
)
def test_filter_keeps_blocks_by_key(engine, tests, equal, passes):
    a = engine.random("a", (7, 5), (3, 2))
    expected = masked(engine["a"], (3, 2), passes)
    check(a.filter(*tests, **equal), expected)
    check((2 * a).filter(*tests, **equal), 2 * expected)
    assert kinds(a.filter(*tests, **equal).plan) == ["Scan", "FilterKeys"]


@pytest.mark.parametrize(
    ("compare", "keeps"),
    [("<", np.less), (">=", np.greater_equal), ("==", np.equal), ("!=", np.not_equal)],
)
def test_where_keeps_elements_by_value(engine, compare, keeps):
    values = np.array([[1.0, np.nan, -0.0], [2.0, -3.0, np.inf], [0.5, 0.5, 1.0]])
    a = engine.tensor("a", values, (2, 2))
    check(a.where(compare, 0.5), np.where(keeps(values, 0.5), values, 0))


@pytest.mark.parametrize("block", [(3, 2), (7, 5), (1, 1), (8, 8)], ids=str)
def test_a_join_and_an_aggregate_are_a_product(engine, block):
    a, b = engine.random("a", (7, 5), block), engine.random("b", (5, 4), block[::-1])
    joined = a.join(b, [(-1, 0)], "matmul")
    assert kinds(joined.plan) == ["Scan", "Scan", "Join"]
    check(joined.aggregate([0, -1], "sum"), engine["a"] @ engine["b"])
    swapped = a.join(b.T, [(1, 1)], "matmul_transposed").aggregate((2, 0), "sum")
    check(swapped, engine["a"] @ engine["b"])


def test_an_elementwise_join_broadcasts(engine):
    a, b = engine.random("a", (4, 3), (2, 2)), engine.random("b", (4, 5), (2, 2))
    check(a.join(b, 0, "add"), engine["a"][:, :, None] + engine["b"][:, None, :])
    check(a.join(b, (), "multiply"), np.multiply.outer(engine["a"], engine["b"]))
    check(a.join(a, ((0, 0), (1, 1)), "maximum"), engine["a"])


@pytest.mark.parametrize(
    ("fn", "function"), [("sum", np.sum), ("mean", np.mean), ("max", np.max), ("min", np.min)]
)
def test_aggregate_over_a_key_column(engine, fn, function):
    a = engine.random("a", (6, 4), (1, 2))
    check(a.aggregate(1, fn), function(engine["a"], axis=0))
    whole = engine.random("b", (6, 4), (3, 2)).aggregate(-1, fn)
    check(whole, function(engine["b"].reshape(2, 3, 4), axis=0))


def test_project_takes_one_block_and_drops_its_key(engine):
    a = engine.random("a", (6, 4), (1, 3))
    check(a.project(i0=2), engine["a"][2])
    check(a.project(i1=1), engine["a"][:, 3:])
    check(a.project(i1=0, i0=5), engine["a"][5, :3])


def test_rekey_moves_blocks(engine):
    a = engine.random("a", (6, 4), (3, 2))
    check(a.rekey((1, 1, 0), 0), engine["a"].reshape(2, 3, 2, 2).swapaxes(0, 2).reshape(6, 4))
    check(a.rekey((0, -1, 1), -1), engine["a"][[3, 4, 5, 0, 1, 2]])
    check(a.rekey((0, 1, 1), 1), np.vstack([np.zeros((3, 4)), engine["a"]]))


def test_map_and_cast(engine):
    a = engine.random("a", (5, 3), (2, 2))
    check(a.map("relu"), np.maximum(engine["a"], 0))
    check((a * 10).cast("int64"), (engine["a"] * 10).astype(np.int64))
    assert a.cast("float32").dtype == "float32"


def test_take_gathers_rows(engine):
    table = engine.random("table", (6, 3), (4, 3))
    rows = engine.tensor("rows", np.array([5, 0, 0, 3], np.int32))
    check(table.take(rows), engine["table"][[5, 0, 0, 3]])


def test_segments(engine):
    a = engine.random("a", (5, 3), (2, 2))
    numbers = engine.tensor("numbers", np.array([2, 0, 2, 2, 0], np.int64), (2,))
    rows = [engine["a"][[1, 4]], np.zeros((1, 3)), engine["a"][[0, 2, 3]]]
    check(a.segment(numbers, 3, "sum"), [r.sum(0) for r in rows])
    check(a.segment(numbers, 3, "max"), [r.max(0) for r in rows])


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda a: a.filter(), InputError, "no test"),
        (lambda a: a.filter(i2=1), InputError, "no key column 'i2'; it has i0, i1"),
        (lambda a: a.filter(k=1), InputError, "no key column 'k'"),
        (lambda a: a.filter(i0=1.5), InputError, "found 1.5; expected a whole number"),
        (lambda a: a.filter(i0=True), InputError, "found True"),
        (lambda a: a.filter(("i0", "~", 1)), InputError, "no comparison '~'"),
        (lambda a: a.filter("i0 = 1"), InputError, r"expected \(key column, op, value\)"),
        (lambda a: a.filter((5, "=", 1)), InputError, "no axis 5; expected -2 to 1"),
        (lambda a: a.filter(("i0", "=", "i7")), InputError, "no key column 'i7'"),
        (lambda a: a.where("~", 1), SchemaError, "no comparison '~'"),
        (lambda a: a.where("<", "x"), InputError, "expected a number"),
        (lambda a: a.join(a, 0, "power"), SchemaError, "no kernel 'power'"),
        (lambda a: a.join(a, (1, 0), "add"), InputError, "expected pairs"),
        (lambda a: a.join(a, [(1, 0)], "add"), SchemaError, "equally long"),
        (lambda a: a.join(a, 4, "add"), InputError, "join: a .* has no axis 4"),
        (lambda a: a.join(3, 0, "add"), InputError, "found int"),
        (lambda a: a.aggregate(0, "median"), SchemaError, "no function 'median'"),
        (lambda a: a.aggregate((0, 0), "sum"), SchemaError, "rising numbers"),
        (lambda a: a.project(), InputError, "no key column"),
        (lambda a: a.project(i0=9), SchemaError, "block 9 along axis 0"),
        (lambda a: a.rekey(0), SchemaError, "must use each axis"),
        (lambda a: a.rekey((0, 1), 1), InputError, r"expected \(axis, scale, offset\)"),
        (lambda a: a.map("sin"), SchemaError, "no function 'sin'"),
        (lambda a: a.cast("int8"), SchemaError, "expected one of"),
        (lambda a: a.take(a), SchemaError, "row numbers"),
        (lambda a: a.take([1, 2]), InputError, "found list"),
        (lambda a: a.segment(a, 2, "sum"), SchemaError, "one whole number per row"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_clear_error(engine, call, kind, message):
    with pytest.raises(kind, match=message):
        call(engine.random("a", (6, 4), (3, 2)))
