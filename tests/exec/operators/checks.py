"""One way to check an operator: every form of its plan against dense NumPy in float64."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np

from gpudb.backend import NullBackend
from gpudb.exec.missing import dense_result, key_grid, positions, rows_of_full_grid, take_blocks
from gpudb.exec.operator import PhysicalOp
from gpudb.exec.parallel import single_threaded_blas
from gpudb.exec.prepared import PreparedPlan
from gpudb.plan.node import Node
from gpudb.plan.rules import NEEDED, RULES
from gpudb.types import HostArray, TensorSchema
from tests.dense import dense
from tests.tiny_plans import Arrays, cut, prepared

# A few dozen operations on numbers of about 1, each rounded by half a unit in the last place.
RELATIVE = {"float64": 1e-12, "float32": 2e-5}

SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((5,), (2,)),
    ((4, 6), (2, 3)),
    ((5, 7), (2, 3)),
    ((5, 7), (1, 1)),
    ((5, 7), (9, 8)),
    ((1, 1), (1, 1)),
    ((0, 3), (2, 2)),
    ((3, 0), (2, 2)),
    ((3, 4, 5), (2, 4, 3)),
    ((2, 3, 2, 3), (1, 2, 2, 2)),
]
"""Shapes and blocks: dividing, not dividing, larger than the tensor, empty, of any rank."""


def check(plan: Node, arrays: Arrays, relative: float | None = None) -> HostArray:
    """Compare and return the result; equal with all rules and with the needed ones."""
    expected = dense(plan, arrays.dense)
    for rules in (NEEDED, RULES):
        ready = prepared(plan, arrays, rules)
        result = ready.run({}, {})
        out = ready.steps[-1].op.out
        assert out.numbers == plan.schema.numbers
        assert result.data.dtype == np.dtype(out.dtype)
        assert (np.diff(positions(result.keys, key_grid(out))) > 0).all()
        found = dense_result(ready.backend, result, out)
        kind = str(found.dtype) if found.dtype.kind == "f" else "float64"
        rtol = relative or RELATIVE[kind]
        finite = np.abs(expected[np.isfinite(expected)])
        np.testing.assert_allclose(found, expected, rtol, rtol * max(1, finite.max(initial=0)))
        blocks = take_blocks(ready.backend, result.data, rows_of_full_grid(result.keys, out))
        on_host = ready.backend.to_host(blocks)
        np.testing.assert_array_equal(on_host, cut(found, out.block_numbers))  # padding is zero
        ghost = prepared(plan, arrays, rules, NullBackend()).run({}, {})
        assert (ghost.data.shape, ghost.data.dtype) == (result.data.shape, result.data.dtype)
    return found


def numbers(shape: tuple[int, ...], dtype: str = "float64", seed: int = 0) -> HostArray:
    """Random numbers in which about a third of the elements, in whole runs, are zero."""
    random = np.random.default_rng(seed)
    x = random.standard_normal(shape)
    for axis in range(len(shape)):
        gone = random.random(shape[axis]) < 0.2
        x[(slice(None),) * axis + (gone,)] = 0
    return x.astype(dtype)


def sources(dtype: str = "float64", seed: int = 0) -> Iterator[tuple[Arrays, Node, TensorSchema]]:
    """A scan of every shape in :data:`SHAPES`, with all blocks and with those that are not zero."""
    for shape, block in SHAPES:
        for sparse in (False, True):
            arrays = Arrays()
            scan = arrays.scan("x", numbers(shape, dtype, seed), block, sparse=sparse)
            yield arrays, scan, scan.schema


def operator(ready: PreparedPlan, kind: type[PhysicalOp]) -> Any:
    """The one step of a kind, and what its join decided."""
    (found,) = [
        (step.op, joined)
        for step, joined in zip(ready.steps, ready.joined, strict=True)
        if isinstance(step.op, kind)
    ]
    return found


def measured_peak(ready: PreparedPlan) -> int:
    """Bytes that one run holds at once, as NumPy asks for them."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        with single_threaded_blas():
            ready.run({}, {})
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
