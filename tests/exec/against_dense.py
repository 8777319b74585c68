"""Run a plan on blocks and compare it with its dense meaning; shared by the tests of operators."""

from __future__ import annotations

from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np

from gpudb.backend import NullBackend
from gpudb.exec.missing import rows_of_full_grid, take_blocks
from gpudb.exec.operator import PhysicalOp
from gpudb.exec.prepared import PreparedPlan, join_keys
from gpudb.exec.spilled import can_spill, plan_spilled
from gpudb.kernels.reblock import assemble
from gpudb.lower import lower
from gpudb.plan.node import Node
from gpudb.plan.rules import RELATIONAL, RULES, Rule, optimize
from gpudb.types import HostArray
from tests import backend_under_test
from tests.dense import dense
from tests.tiny_plans import Arrays, cut, prepared

# float64: a few hundred roundings of 1e-16, of values around 1. float32: the same of 6e-8; each
# operator forms its long sums in float64, so their length does not add to it.
TOLERANCE: dict[str, dict[str, float]] = {
    "float32": {"rtol": 2e-5, "atol": 2e-5},
    "float64": {"rtol": 1e-9, "atol": 1e-10},
    "int64": {"rtol": 0, "atol": 0},
}


def run_blocks(ready: PreparedPlan) -> HostArray:
    """All blocks of the result, zeros where none is stored."""
    result = ready.run({}, {})
    out = ready.steps[-1].op.out
    blocks = take_blocks(ready.backend, result.data, rows_of_full_grid(result.keys, out))
    return ready.backend.to_host(blocks)


def check(plan: Node, arrays: Arrays, rules: tuple[Rule, ...] = RULES) -> HostArray:
    """The dense result of a plan, which equals its meaning; padding is zero, null runs it too."""
    ready = prepared(plan, arrays, rules)
    blocks, out = run_blocks(ready), ready.steps[-1].op.out
    assert out.numbers == plan.schema.numbers
    assert blocks.shape == (out.blocks, *out.block_numbers)
    assert blocks.dtype == np.dtype(out.dtype)
    found: Any = assemble(blocks, out.numbers, out.block_numbers)
    np.testing.assert_array_equal(cut(found, out.block_numbers), blocks, "padding must be zero")
    with np.errstate(all="ignore"):
        expected = dense(plan, arrays.dense)
    np.testing.assert_allclose(found, expected, **TOLERANCE[out.dtype])
    ghost = prepared(plan, arrays, rules, NullBackend()).run({}, {})
    assert ghost.data.shape == (len(ghost.keys), *out.block_numbers)
    assert ghost.data.dtype == blocks.dtype
    parts = run_in_parts(plan, arrays)
    assert parts.dtype == found.dtype
    np.testing.assert_allclose(parts, expected, **TOLERANCE[out.dtype])
    return np.asarray(found)


def run_in_parts(plan: Node, arrays: Arrays) -> HostArray:
    """The dense result of a plan of which as little as possible is in memory at a time."""
    joined = join_keys(lower(optimize(plan, RELATIONAL)), backend_under_test.backend(), arrays)
    assert can_spill(joined)
    return plan_spilled(joined, Path(gettempdir()), 0, whole_nbytes=0, dense=True).dense()


def operators(plan: Node) -> list[PhysicalOp]:
    """The operators of a plan, in no order that matters."""
    found: dict[int, PhysicalOp] = {}
    stack = [lower(plan)]
    while stack:
        op = stack.pop()
        if id(op) not in found:
            found[id(op)] = op
            stack.extend(op.children)
    return list(found.values())


def operator(plan: Node, kind: type[PhysicalOp]) -> Any:
    """The one operator of a class in a plan."""
    (found,) = (op for op in operators(plan) if isinstance(op, kind))
    return found
