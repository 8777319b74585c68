"""Weights read ahead of the steps that need them: equal results, and no more held than counted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from gpudb.backend import NumpyBackend
from gpudb.errors import GpudbError
from gpudb.exec import placement as placements
from gpudb.exec.missing import dense_result
from gpudb.exec.placement import place
from gpudb.exec.prepared import PreparedPlan, join_keys
from gpudb.exec.profile import Profile
from gpudb.lower import lower
from gpudb.plan.node import Node
from gpudb.plan.rules import RELATIONAL, RULES, optimize
from gpudb.plan.tensor import Map, Matmul, Zip
from tests.tiny_plans import (
    Arrays,
    bert_encoder,
    deberta_encoder,
    mpnet_encoder,
    t5_encoder,
    torch_encoder,
)

UNLIMITED = 1 << 40


@pytest.fixture(autouse=True)
def nothing_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the weights of small plans would all stay."""
    monkeypatch.setattr(placements, "SMALL_NBYTES", 0)
    monkeypatch.setattr("gpudb.exec.weights.SMALL_NBYTES", 0)


def _joined(plan: Node, arrays: Arrays, rules=RULES) -> PreparedPlan:
    return join_keys(lower(optimize(plan, rules)), NumpyBackend(), arrays)


def _limit_that_streams(plan: PreparedPlan, sizes) -> int:
    """The least limit that the plan is not refused at, to 1 %."""
    low, high = 1, plan.place(sizes, UNLIMITED).needed_nbytes
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        fits = plan.place(sizes, middle, resident=False).mode == "streamed"
        low, high = (low, middle) if fits else (middle, high)
    return high


@pytest.mark.parametrize("block", [None, (3, 8), (4, 40)])
@pytest.mark.parametrize(
    "make",
    [
        bert_encoder,
        torch_encoder,
        partial(mpnet_encoder, num_hidden_layers=8),
        partial(t5_encoder, num_layers=8),
        deberta_encoder,
    ],
)
def test_an_encoder_streams_to_the_same_rows(
    make: Callable[..., object], block: tuple[int, int] | None
) -> None:
    encoder = make([5, 1, 0, 7], block)
    plan = _joined(encoder.plan, encoder.arrays)
    everything = plan.placed(plan.place(encoder.sizes, UNLIMITED))
    expected = everything.run(encoder.inputs, encoder.sizes).data
    limit = _limit_that_streams(plan, encoder.sizes)
    placement = plan.place(encoder.sizes, limit)
    assert placement.mode == "streamed"
    streamed, profile = plan.placed(placement), Profile()
    for _ in range(2):
        found = streamed.run(encoder.inputs, encoder.sizes, profile).data
        # Products of some columns at a time are rounded in another order: last bits of float32.
        np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)
    assert placement.held_nbytes + profile.peak_nbytes <= placement.needed_nbytes <= limit


def test_row_panels_are_multiplied_one_after_the_other() -> None:
    random = np.random.default_rng(0)
    arrays = Arrays()
    x = arrays.scan("x", random.standard_normal((3, 40)))
    w = arrays.scan("w", random.standard_normal((1001, 40)), (10, 40))
    plan = _joined(Matmul(Map(x, "abs"), w, True), arrays)
    placement = plan.place({}, plan.place({}, UNLIMITED).needed_nbytes // 2)
    assert placement.mode == "streamed"
    (nbytes,) = placement.panel_nbytes.values()
    assert 0 < nbytes < w.schema.nbytes // 8
    found = plan.placed(placement).run({}, {}).data[0]
    expected = np.abs(arrays.dense["x"]) @ arrays.dense["w"].T
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_large_left_side_comes_in_panels() -> None:
    random = np.random.default_rng(1)
    arrays = Arrays()
    x = arrays.scan("x", random.standard_normal((1001, 40)), (10, 40))
    w = arrays.scan("w", random.standard_normal((40, 3)))
    plan = _joined(Matmul(x, Map(w, "abs")), arrays)
    placement = plan.place({}, plan.place({}, UNLIMITED).needed_nbytes // 2)
    assert placement.panel_nbytes
    found = plan.placed(placement).run({}, {}).data[0]
    expected = arrays.dense["x"] @ np.abs(arrays.dense["w"])
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("rules", [RULES, RELATIONAL])
def test_expressions_stream_to_the_same_blocks(rules, sparse: bool, dtype: str) -> None:
    random = np.random.default_rng(2)
    arrays = Arrays()
    values = random.standard_normal((4, 33, 33)).astype(dtype)
    values[:, :16, 8:24] = 0
    a, b, c, d = (
        arrays.scan(name, x, (8, 8), sparse=sparse) for name, x in zip("abcd", values, strict=True)
    )
    plan = _joined(Zip(Matmul(Zip(a, b, "add"), c), Map(d, "exp"), "multiply"), arrays, rules)
    everything = plan.placed(plan.place({}, UNLIMITED))
    streamed = plan.placed(plan.place({}, UNLIMITED, resident=False))
    schema = plan.steps[-1].op.out
    expected, found = (
        dense_result(plan.backend, ready.run({}, {}), schema) for ready in (everything, streamed)
    )
    assert np.array_equal(found, expected)


def test_a_stored_tensor_itself_is_read() -> None:
    arrays = Arrays()
    x = arrays.scan("x", np.arange(12.0).reshape(4, 3), (2, 3))
    plan = _joined(x, arrays)
    ready = plan.placed(plan.place({}, UNLIMITED, resident=False))
    found = dense_result(plan.backend, ready.run({}, {}), plan.steps[-1].op.out)
    assert np.array_equal(found, arrays.dense["x"])


def test_an_error_while_reading_ahead_is_raised_by_the_run() -> None:
    encoder = bert_encoder([5], (3, 8))
    plan = _joined(encoder.plan, encoder.arrays)
    ready = plan.placed(plan.place(encoder.sizes, UNLIMITED, resident=False))

    def broken(name: str, rows: object) -> None:
        raise GpudbError(f"{name} cannot be read")

    encoder.arrays.read = broken  # type: ignore[method-assign,assignment]
    with pytest.raises(GpudbError, match="cannot be read"):
        ready.run(encoder.inputs, encoder.sizes)


def test_nothing_is_read_before_a_plan_is_placed() -> None:
    encoder = bert_encoder([5], (3, 8))
    encoder.arrays.read = encoder.arrays.runs = None  # type: ignore[method-assign,assignment]
    plan = _joined(encoder.plan, encoder.arrays)
    assert place(plan.steps, encoder.sizes, 1).mode == "refused"


def test_of_two_large_sides_one_comes_in_panels() -> None:
    random = np.random.default_rng(3)
    arrays = Arrays()
    x = arrays.scan("x", random.standard_normal((400, 500)), (10, 500))
    w = arrays.scan("w", random.standard_normal((300, 500)), (10, 500))
    plan = _joined(Matmul(x, w, True), arrays)
    placement = plan.place({}, UNLIMITED, resident=False)
    limit = placement.needed_nbytes - 1
    placement = plan.place({}, limit, resident=False)
    assert len(placement.panel_nbytes) == 1
    found = plan.placed(placement).run({}, {}).data[0]
    expected = arrays.dense["x"] @ arrays.dense["w"].T
    np.testing.assert_allclose(found, expected, atol=1e-11)
