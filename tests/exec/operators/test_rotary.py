"""Rotary positions over rows cut in any way, and gates over matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpudb.exec.operators.gated_rows import GatedRows
from gpudb.exec.operators.rotary_rows import RotaryRows
from gpudb.plan.node import Node
from gpudb.plan.rules import optimize
from gpudb.plan.sequence import Rotary
from gpudb.plan.tensor import Columns, Map, Zip
from tests.exec.against_dense import operators
from tests.exec.operators.checks import check
from tests.tiny_plans import Arrays

WIDTH = 12


def _rotary(arrays: Arrays, x: Any, block: Any, positions: Any, column: int, **kwargs: Any) -> Node:
    scan = arrays.scan("x", x, block, sparse=True)
    places = arrays.scan("positions", positions.astype(np.int32), (column,))
    return Rotary(
        scan, places, 2, 10_000.0, kwargs.get("part", 6), kwargs.get("interleaved", False)
    )


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("part", [2, 6])
@pytest.mark.parametrize("column", [1, 3, 20])
@pytest.mark.parametrize("block", [(2, 5), (3, WIDTH), (1, 1), (20, 20), (4, 20)], ids=str)
@pytest.mark.parametrize("rows", [0, 1, 7])
def test_any_block(rows: int, block: Any, column: int, part: int, interleaved: bool) -> None:
    x = np.random.default_rng(rows).standard_normal((rows, WIDTH))
    x[2:5] = 0  # blocks that are not stored
    arrays = Arrays()
    positions = np.arange(rows)[::-1]
    plan = _rotary(arrays, x, block, positions, column, part=part, interleaved=interleaved)
    # Sines and cosines are float32 whatever is turned, and differ in the last place by device.
    check(plan, arrays, relative=1e-6)


def test_what_explain_says() -> None:
    plan = _rotary(Arrays(), np.ones((3, WIDTH)), None, np.arange(3), 3)
    details = [op.detail() for op in operators(plan) if isinstance(op, RotaryRows)]
    assert details == ["2 heads, 6 columns each, halves"]


@pytest.mark.parametrize("shape", [(1, 2), (5, 8), (300, 500)], ids=str)
@pytest.mark.parametrize("first", ["gate", "other"])
def test_a_gate_over_columns_of_one_matrix(shape: tuple[int, int], first: str) -> None:
    arrays = Arrays()
    merged = arrays.scan("x", np.random.default_rng(0).standard_normal(shape))
    half = shape[1] // 2
    gate, other = Map(Columns(merged, 0, half), "silu"), Columns(merged, half, 2 * half)
    plan = Zip(gate, other, "multiply") if first == "gate" else Zip(other, gate, "multiply")
    check(plan, arrays)
    assert any(isinstance(op, GatedRows) for op in operators(optimize(plan)))


def test_a_gate_over_blocks_stays_a_join() -> None:
    arrays = Arrays()
    x, y = (arrays.scan(name, np.ones((5, 6)), (2, 3)) for name in "xy")
    plan = Zip(Map(x, "tanh"), y, "multiply")
    check(plan, arrays)
    assert not any(isinstance(op, GatedRows) for op in operators(optimize(plan)))
