"""Plans as text and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudb.errors import CatalogError
from gpudb.plan.explain import explain
from gpudb.plan.node import Node, walk
from gpudb.plan.rules import optimize
from gpudb.plan.serialize import NODE_TYPES, fingerprint, plan_from_json, plan_to_json
from gpudb.plan.tensor import Map, Zip
from tests.plan.sample_nodes import node_classes, sample_nodes
from tests.tiny_plans import bert_encoder, kinds, torch_encoder

TEXT = plan_to_json(bert_encoder([2], num_hidden_layers=1).plan)


def test_every_node_class_is_known_and_sampled() -> None:
    assert set(NODE_TYPES.values()) == node_classes()
    assert {type(n) for n in sample_nodes()} == node_classes()


@pytest.mark.parametrize("node", sample_nodes(), ids=lambda n: type(n).__name__)
def test_round_trip_of_every_node(node: Node) -> None:
    text = plan_to_json(node)
    again = plan_from_json(text)
    assert plan_to_json(again) == text
    assert fingerprint(again) == fingerprint(node)
    assert again is not node
    assert explain(again) == explain(node)
    for before, after in zip(walk(node), walk(again), strict=True):
        assert (type(after), after.parameters) == (type(before), before.parameters)
        assert after.schema == before.schema


@pytest.mark.parametrize("optimised", [False, True])
@pytest.mark.parametrize("encoder", [bert_encoder([2]), torch_encoder([2], norm_first=True)])
def test_round_trip_of_encoders(encoder: Any, optimised: bool) -> None:
    plan = optimize(encoder.plan) if optimised else encoder.plan
    again = plan_from_json(plan_to_json(plan))
    assert fingerprint(again) == fingerprint(plan)
    assert kinds(again) == kinds(plan)  # shared nodes are shared again


def test_fingerprints_differ_where_plans_do() -> None:
    prints = [fingerprint(n) for n in sample_nodes()]
    assert len(set(prints)) == len(prints)
    x = sample_nodes()[0]
    a, b = Map(x, "exp"), Map(x, "exp")
    assert fingerprint(Zip(a, b, "add")) != fingerprint(Zip(a, a, "add"))
    assert fingerprint(a) == fingerprint(b)


def _changed(**changes: Any) -> str:
    return json.dumps({**json.loads(TEXT), **changes})


def _record(number: int, **changes: Any) -> str:
    nodes = json.loads(TEXT)["nodes"]
    nodes[number] = {**nodes[number], **changes}
    return _changed(nodes=nodes)


def _first(op: str) -> int:
    return next(i for i, r in enumerate(json.loads(TEXT)["nodes"]) if r["op"] == op)


@pytest.mark.parametrize("found", [0, 2, "1", None])
def test_another_format_is_named(found: Any) -> None:
    with pytest.raises(CatalogError, match=rf"plan format {found} found.*reads format 1"):
        plan_from_json(_changed(format=found))


DAMAGED = {
    "empty": "",
    "half": TEXT[: len(TEXT) // 2],
    "not an object": "[]",
    "a number": "3",
    "too deep": "[" * 100_000,
    "no format": '{"nodes":[]}',
    "no nodes": '{"format":1}',
    "an empty list": _changed(nodes=[]),
    "nodes of another kind": _changed(nodes={"a": 1}),
    "an unknown operator": _record(0, op="Explode"),
    "an operator of another type": _record(0, op=["Scan"]),
    "an unknown field": _record(0, colour="red"),
    "a child from the future": _record(_first("Matmul"), left={"node": 10_000}),
    "a child before the first": _record(_first("Matmul"), left={"node": -1}),
    "a child by name": _record(_first("Matmul"), left={"node": "x"}),
    "a number for a child": _record(_first("Matmul"), left=3),
    "a number for a child of a map": _record(_first("Map"), child=3),
    "a tensor for a child": _record(_first("Map"), child={"tensor": ["x", [1], [1], "float32"]}),
    "an unknown function": _record(_first("Map"), fn="system"),
    "an unknown dtype": _record(_first("Scan"), tensor={"tensor": ["x", [1], [1], "object"]}),
    "half a tensor": _record(_first("Scan"), tensor={"tensor": ["x", [1]]}),
    "a bad extent": _record(_first("Scan"), tensor={"tensor": ["x", [1.5, None], [1, 1], "int8"]}),
    "no tensor": _record(_first("Scan"), tensor=None),
    "a shape that does not fit": _record(
        _first("Matmul"), right={"node": _first("Scan")}, transpose_right=False
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damage_is_a_catalog_error(case: str) -> None:
    with pytest.raises(CatalogError, match="plan") as caught:
        plan_from_json(DAMAGED[case])
    assert "import the model again" in str(caught.value)


@settings(max_examples=150)
@given(st.data())
def test_any_damage_is_a_plan_or_a_catalog_error(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(TEXT) - 1))
    length = data.draw(st.integers(0, 12))
    insert = data.draw(st.sampled_from(["", "0", "-1", '"', "null", "[]", "{}", "9e9", "é"]))
    text = TEXT[:start] + insert + TEXT[start + length :]
    try:
        plan = plan_from_json(text)
    except CatalogError:
        return
    assert explain(plan)  # what was read is whole
    assert plan_from_json(plan_to_json(plan)).schema == plan.schema
