"""Prepared plans: keys are joined once, values move in every run, and nothing is kept too long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from weakref import ref

import numpy as np
import pytest

from gpudb.backend import NumpyBackend
from gpudb.exec.operator import PhysicalOp
from gpudb.exec.prepared import PreparedPlan, prepare
from gpudb.lower import lower
from gpudb.plan.node import Node
from gpudb.plan.relational import FilterKeys
from gpudb.plan.rules import NEEDED, RELATIONAL, RULES, Rule, optimize
from gpudb.plan.tensor import Map, Matmul, Reblock, Scan, Zip
from gpudb.types import HostArray
from tests.tiny_plans import (
    Arrays,
    Encoder,
    bert_encoder,
    compute,
    offsets_of,
    prepared,
    sizes_of,
    torch_encoder,
)


class CountingArrays(Arrays):
    """Arrays that count how often the blocks of each are read."""

    def __init__(self, arrays: Arrays) -> None:
        super().__init__(arrays.dense, arrays.blocks, arrays.stored)
        self.reads: Counter[str] = Counter()

    def runs(self, name: str, rows: HostArray) -> list[HostArray]:
        self.reads[name] += 1
        return super().runs(name, rows)


@contextmanager
def watched(plan: PreparedPlan, method: str, wrap: Any) -> Iterator[None]:
    """Every operator class of a plan with ``method`` wrapped."""
    classes: set[type[PhysicalOp]] = {type(step.op) for step in plan.steps}
    patches = [patch.object(kind, method, wrap(getattr(kind, method))) for kind in classes]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


def run(plan: PreparedPlan, encoder: Encoder) -> HostArray:
    result: HostArray = plan.run(encoder.inputs, encoder.sizes).data
    return result


def square_products(arrays: Arrays, block: int = 2) -> Node:
    """``relu(x @ y) @ y`` in square blocks, some of them missing."""
    random = np.random.default_rng(0)
    x, y = random.standard_normal((2, 7, 7))
    x[:4, 2:6] = 0
    block_of = (block, block)
    scans = [arrays.scan(n, v, block_of, sparse=True) for n, v in (("x", x), ("y", y))]
    return Matmul(Map(Matmul(scans[0], scans[1]), "relu"), scans[1])


@pytest.mark.parametrize("rules", [RULES, RELATIONAL], ids=["fused", "relational"])
def test_keys_are_joined_when_a_plan_is_prepared_and_never_again(rules: tuple[Rule, ...]) -> None:
    arrays = Arrays()
    root = lower(optimize(square_products(arrays), rules))
    joins: list[str] = []

    def counted(join: Any) -> Any:
        def wrapper(op: PhysicalOp, *keys: Any) -> Any:
            joins.append(type(op).__name__)
            return join(op, *keys)

        return wrapper

    plan = prepare(root, NumpyBackend(), arrays)
    with watched(plan, "join", counted):
        again = prepare(root, NumpyBackend(), arrays)
        assert len(joins) == len(again.steps)  # each step's once
        joins.clear()
        first, second = again.run({}, {}), again.run({}, {})
    assert joins == []
    np.testing.assert_array_equal(first.data, second.data)
    np.testing.assert_array_equal(first.keys, again.joined[-1].keys)


@pytest.mark.parametrize("block", [None, (3, 5)], ids=str)
@pytest.mark.parametrize("rules", [RULES, NEEDED], ids=["fused", "needed"])
def test_stored_tensors_are_read_once(rules: tuple[Rule, ...], block: Any) -> None:
    encoder = bert_encoder([3, 2], block)
    source = CountingArrays(encoder.arrays)
    plan = prepare(lower(optimize(encoder.plan, rules)), NumpyBackend(), source)
    assert source.reads == Counter(list(encoder.arrays.dense))
    source.reads.clear()
    first, second = run(plan, encoder), run(plan, encoder)
    assert not source.reads
    np.testing.assert_array_equal(first, second)


def test_plans_over_one_source_share_what_is_arranged() -> None:
    encoder = bert_encoder([3, 2], (3, 5))
    source = CountingArrays(encoder.arrays)
    arranged: dict[str, Any] = {}
    plans = [
        prepare(lower(optimize(encoder.plan, RULES)), NumpyBackend(), source, arranged)
        for _ in range(2)
    ]
    assert set(source.reads.values()) == {1}
    np.testing.assert_array_equal(*(run(plan, encoder) for plan in plans))


@pytest.mark.parametrize("rules", [RULES, NEEDED], ids=["fused", "needed"])
@pytest.mark.parametrize("build", [bert_encoder, torch_encoder])
def test_results_are_gone_when_nobody_needs_them(build: Any, rules: tuple[Rule, ...]) -> None:
    encoder = build([3, 2])
    plan = prepared(encoder.plan, encoder.arrays, rules)
    number_of = {id(step.op): number for number, step in enumerate(plan.steps)}
    results: dict[int, ref[HostArray]] = {}
    alive_at: list[set[int]] = []

    def traced(run: Any) -> Any:
        def wrapper(op: PhysicalOp, *arguments: Any) -> Any:
            number = number_of[id(op)]
            alive = {n for n, result in results.items() if result() is not None}
            assert alive <= {n for n in results if plan.steps[n].last_use >= number}
            alive_at.append(alive)
            result = run(op, *arguments)
            if not (plan.steps[number].op.is_view or number == len(plan.steps) - 1):
                results[number] = ref(result)
            return result

        return wrapper

    with watched(plan, "run", traced):
        last = run(plan, encoder)
    assert last.size
    del last
    assert all(result() is None for result in results.values())
    assert len(results) > 10  # and there was something to free
    assert 2 <= max(map(len, alive_at)) <= len(results) / 2


def test_steps_free_each_result_once_and_after_its_last_reader() -> None:
    encoder = bert_encoder([3, 2], (3, 5))
    steps = prepared(encoder.plan, encoder.arrays).steps
    freed: set[int] = set()
    for number, step in enumerate(steps):
        assert all(i < number for i in step.inputs)
        assert not freed & {*step.inputs, *step.frees}
        freed |= set(step.frees)
    assert freed == set(range(len(steps) - 1))


def test_what_several_steps_read_is_computed_once() -> None:
    arrays = Arrays()
    a = arrays.scan("a", np.random.default_rng(0).standard_normal((4, 4)))
    shared = Matmul(a, a)
    plan = prepared(
        Zip(Map(shared, "exp"), Zip(Map(shared, "tanh"), shared, "multiply"), "add"), arrays, NEEDED
    )
    ran: Counter[int] = Counter()

    def counted(run: Any) -> Any:
        def wrapper(op: PhysicalOp, *arguments: Any) -> Any:
            ran[id(op)] += 1
            return run(op, *arguments)

        return wrapper

    with watched(plan, "run", counted):
        found = plan.run({}, {}).data[0]
    product = arrays.dense["a"] @ arrays.dense["a"]
    np.testing.assert_allclose(found, np.exp(product) + np.tanh(product) * product, rtol=1e-12)
    assert set(ran.values()) == {1}
    names = [type(step.op).__name__ for step in plan.steps]
    assert sum("Gemm" in name or "Contract" in name for name in names) == 1


@pytest.mark.parametrize("rules", [RULES, NEEDED], ids=["fused", "needed"])
def test_threads_that_share_a_plan_do_not_disturb_each_other(rules: tuple[Rule, ...]) -> None:
    encoder = bert_encoder([3, 5, 2])
    plan = prepared(encoder.plan, encoder.arrays, rules)
    random = np.random.default_rng(1)
    batches = []
    for number in range(8):
        offsets = offsets_of([number + 1, 0, 3])
        tokens = int(offsets[-1])
        ids = {
            "token_ids": random.integers(0, 23, tokens, dtype=np.int32),
            "type_ids": random.integers(0, 2, tokens, dtype=np.int32),
            "position_ids": np.arange(tokens, dtype=np.int32) % 16,
        }
        batches.append(({**ids, "sequences": offsets}, sizes_of(offsets)))

    def one(batch: Any) -> HostArray:
        result: HostArray = plan.run(*batch).data
        return result

    alone = [one(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(one, batches * 8))
    for number, found in enumerate(together):
        np.testing.assert_array_equal(found, alone[number % len(batches)])


def test_a_batch_does_not_depend_on_the_one_before() -> None:
    whole = bert_encoder([4, 1, 7], dtype="float64")
    plan = prepared(whole.plan, whole.arrays)
    rows = run(plan, whole)[0]
    for start, stop in zip(whole.offsets, whole.offsets[1:], strict=False):
        part = slice(start, stop)
        offsets = np.array([0, stop - start], np.int32)
        inputs = {name: x[part] for name, x in whole.inputs.items() if name != "sequences"}
        alone = plan.run({**inputs, "sequences": offsets}, sizes_of(offsets)).data[0]
        np.testing.assert_allclose(alone, rows[part], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("lengths", [[], [0], [0, 0, 0]], ids=str)
def test_no_tokens_give_no_rows(lengths: list[int]) -> None:
    encoder = bert_encoder(lengths)
    assert run(prepared(encoder.plan, encoder.arrays), encoder).shape == (1, 0, 8)


def test_a_plan_of_stored_tensors_only_computes_nothing() -> None:
    arrays = Arrays()
    values = np.arange(12.0).reshape(4, 3)
    scan: Scan = arrays.scan("a", values, (3, 2))
    for plan in (scan, Reblock(scan, (2, 3))):
        np.testing.assert_array_equal(compute(plan, arrays, NEEDED), values)
        assert all(step.constant for step in prepared(plan, arrays, NEEDED).steps)


def test_a_relation_without_blocks_is_zero() -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.zeros((5, 4)), (2, 2), sparse=True)
    y = arrays.scan("y", np.ones((4, 3)), (2, 2))
    for plan, expected in (
        (Matmul(x, y), np.zeros((5, 3))),
        (Map(Matmul(x, y), "exp"), np.ones((5, 3))),
        (FilterKeys(y, ((0, "=", 7),)), np.zeros((4, 3))),
    ):
        for rules in (RULES, RELATIONAL, NEEDED):
            np.testing.assert_array_equal(compute(plan, arrays, rules), expected)
