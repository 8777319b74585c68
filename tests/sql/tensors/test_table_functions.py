"""Functions in FROM against the Python door's plans and what NumPy does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gpudb import Database
from gpudb.errors import SchemaError, SqlError
from gpudb.plan.serialize import fingerprint
from gpudb.relation import TensorRelation
from tests.sql.tensors.conftest import Tensors

Arrays = dict[str, np.ndarray[Any, Any]]


def softmax(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def layer_norm(x: np.ndarray[Any, Any], v: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(x.var(-1, keepdims=True) + 0.1) * v + v


CASES: list[
    tuple[str, Callable[[Database], TensorRelation], Callable[[Arrays], np.ndarray[Any, Any]]]
] = [
    ("transpose(a, 1, 0)", lambda db: db.tensor("a").T, lambda x: x["a"].T),
    (
        "transpose(reblock(t, 4, 1, 5), 2, 0, 1)",
        lambda db: db.tensor("t").reblock(4, 1, 5).transpose(2, 0, 1),
        lambda x: x["t"].transpose(2, 0, 1),
    ),
    ("reblock(a, 2, 5)", lambda db: db.tensor("a").reblock(2, 5), lambda x: x["a"]),
    (
        "slice(a, [1, 0], $stops)",
        lambda db: db.tensor("a")[1:5, 0:3],
        lambda x: x["a"][1:5, 0:3],
    ),
    (
        "concat(a, c, a, 0)",
        lambda db: db.tensor("a").concat([db.tensor("c"), db.tensor("a")]),
        lambda x: np.concatenate([x["a"], x["c"], x["a"]]),
    ),
    (
        "gather(a, rows)",
        lambda db: db.tensor("a").take(db.tensor("rows")),
        lambda x: x["a"][[6, 0, 0, 3]],
    ),
    (
        "reduce(a, 1, 'norm')",
        lambda db: db.tensor("a").norm(1),
        lambda x: np.hypot.reduce(x["a"], 1),
    ),
    ("softmax(a)", lambda db: db.tensor("a").softmax(), lambda x: softmax(x["a"])),
    (
        "layer_norm(a, v, v, 0.1)",
        lambda db: db.tensor("a").layer_norm(db.tensor("v"), db.tensor("v"), 0.1),
        lambda x: layer_norm(x["a"], x["v"]),
    ),
    (
        "segment(b, groups, 2, 'sum')",
        lambda db: db.tensor("b").segment(db.tensor("groups"), 2, "sum"),
        lambda x: np.stack([x["b"][[0, 3]].sum(0), x["b"][[1, 2, 4]].sum(0)]),
    ),
    (
        "broadcast(v, [3, 5], [2, 2])",
        lambda db: db.tensor("v").broadcast_to((3, 5), (2, 2)),
        lambda x: np.broadcast_to(x["v"], (3, 5)),
    ),
    (
        "split_axis(w, 0, 3)",
        lambda db: db.tensor("w").split_axis(0, 3),
        lambda x: x["w"].reshape(2, 3, 5),
    ),
    ("merge_axes(t, 1)", lambda db: db.tensor("t").merge_axes(1), lambda x: x["t"].reshape(4, 15)),
]


@pytest.mark.parametrize(("call", "door", "numpy"), CASES, ids=[call for call, *_ in CASES])
def test_both_doors_give_the_same_plan(
    own: Tensors,
    call: str,
    door: Callable[[Database], TensorRelation],
    numpy: Callable[[Arrays], np.ndarray[Any, Any]],
) -> None:
    own.db.create_tensor("rows", np.array([6, 0, 0, 3]), block=(3,))
    own.db.create_tensor("groups", np.array([0, 1, 1, 0, 1]), block=(2,))
    sql, params = f"SELECT * FROM {call}", {"stops": [5, 3]} if "$" in call else {}
    bound, expected = own.bind(sql, params), door(own.db)
    assert fingerprint(bound.result) == fingerprint(expected.plan)
    # Sums of at most some dozen terms of size 1 in float64.
    np.testing.assert_allclose(own.dense(sql, params), numpy(own.arrays), rtol=1e-12, atol=1e-12)
    assert own.table(sql, params or None).equals(expected.arrow())


def test_functions_read_names_of_with_and_queries(tensors: Tensors) -> None:
    a, b = tensors.arrays["a"], tensors.arrays["b"]
    sql = (
        "WITH e AS (SELECT i0, i1, exp(block) AS block FROM a WHERE i0 = 0) "
        "SELECT x.i0 AS i, y.i1 AS j, SUM(MATMUL_T(x.block, y.block)) AS block "
        "FROM transpose(transpose(e, 1, 0), 1, 0) AS x(i0, k, block) "
        "JOIN transpose((SELECT * FROM b), 1, 0) y ON x.k = y.i1 GROUP BY x.i0, y.i1"
    )
    with pytest.raises(SqlError, match=r"add ON x\.k = y\.i1"):
        tensors.bind(sql.replace("y.i1 GROUP BY x.i0, y.i1", "y.i0 GROUP BY ALL"))
    kept = np.zeros_like(a)
    kept[:3] = np.exp(a[:3])
    right = sql.replace("y.i1 AS j", "y.i0 AS j").replace("GROUP BY x.i0, y.i1", "GROUP BY ALL")
    np.testing.assert_allclose(tensors.dense(right), kept @ b, rtol=1e-12, atol=1e-12)


def test_functions_in_mixed_statements(tensors: Tensors) -> None:
    table = tensors.table("SELECT count(*) AS n FROM transpose(a, 1, 0) WHERE i0 = 2 OR i1 = 2")
    assert table.to_pydict() == {"n": [5]}
    named = tensors.table("SELECT r.x FROM softmax(a) AS r(i, j, x) ORDER BY r.i, r.j LIMIT 1")
    assert named.num_rows == 1


@pytest.mark.parametrize(
    ("sql", "kind", "message"),
    [
        ("FROM softmax(a, 1)", SqlError, r"found 2 arguments; write softmax\(tensor\)"),
        ("FROM transpose(a)", SqlError, "write transpose"),
        ("FROM transpose(a, 0, 0)", SchemaError, "no permutation"),
        ("FROM reduce(a, 1, 'median')", SchemaError, "no function 'median'"),
        ("FROM slice(a, 1, 2)", SqlError, "expected a list of whole numbers"),
        ("FROM softmax(nope)", SqlError, "no tensor 'nope'; tensors are: a"),
    ],
)
def test_mistakes(tensors: Tensors, sql: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        tensors.db.sql(f"SELECT * {sql} -- a")
