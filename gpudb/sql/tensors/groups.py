"""GROUP BY over key columns: rows that a filter leaves, combined block by block."""

from __future__ import annotations

import numpy as np

from gpudb.errors import UnsupportedError
from gpudb.keys import KeyTests, matching, renumbered
from gpudb.plan.node import Node
from gpudb.plan.relational import Aggregate, FilterKeys
from gpudb.plan.reshape import Slice
from gpudb.sql.tensors.scope import Operand, inside


def aggregated(operand: Operand, group: frozenset[int], fn: str, tests: KeyTests) -> Operand:
    """Combine the blocks of each group.

    Parameters
    ----------
    operand
        The blocks.
    group
        Labels that are kept.
    fn
        A name in :data:`gpudb.plan.relational.AGGREGATES`.
    tests
        Which rows are there, over labels; those on kept labels alone are left for the result.
    """
    early = tuple(test for test in tests if renumbered((test,), dict.fromkeys(group, 0)) is None)
    node = _filtered(operand, early, fn) if early else operand.node
    labels = operand.labels
    keep = tuple(a for a, label in enumerate(labels) if label in group or label < 0)
    result = Aggregate(node, keep, fn)
    block = node.schema.block
    left = tuple(
        label if axis in keep else -1
        for axis, label in enumerate(labels)
        if axis in keep or block[axis] != 1
    )
    return Operand(result, inside(left or (-1,)), operand.uses)


def _filtered(operand: Operand, tests: KeyTests, fn: str) -> Node:
    """The rows that pass, so that the others take no part in ``fn``."""
    axes = {label: axis for axis, label in enumerate(operand.labels)}
    on_axes = renumbered(tests, axes)
    assert on_axes is not None  # every key column of FROM is an axis
    if fn == "sum":  # what is filtered out is zero
        return FilterKeys(operand.node, on_axes)
    s = operand.node.schema
    starts, stops = [0] * s.ndim, list(s.numbers)
    for axis in {test[0] for test in on_axes}:
        mine = tuple(test for test in on_axes if test[0] == axis)
        if any(isinstance(value, str) for _, _, value in mine):
            raise _unsupported(fn)
        keys = np.arange(s.grid_along(axis), dtype=np.int32).reshape(-1, 1)
        passed = np.flatnonzero(matching(keys, tuple((0, op, value) for _, op, value in mine)))
        first, count = (int(passed[0]), len(passed)) if len(passed) else (0, 0)
        gaps = bool(count) and int(passed[-1]) - first + 1 != count
        if gaps or (fn == "argmax" and first):
            raise _unsupported(fn)
        step = s.block_numbers[axis]
        starts[axis] = first * step
        stops[axis] = min((first + count) * step, s.numbers[axis])
    return Slice(operand.node, tuple(starts), tuple(stops))


def _unsupported(fn: str) -> UnsupportedError:
    return UnsupportedError(
        f"{fn.upper()} over the keys that WHERE leaves: a block that is not there counts as zero, "
        "so only one range of each key that is aggregated over can be left, from 0 for ARGMAX; "
        "write SUM, or a range such as BETWEEN 0 AND 3"
    )
