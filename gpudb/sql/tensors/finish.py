"""The result of a SELECT: keys that it does not return go, others get their place and name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from gpudb.catalog import StoredTensor
from gpudb.keys import KeyTest, KeyTests, matching, renumbered
from gpudb.plan.node import Node
from gpudb.plan.relational import FilterKeys, Project, Rekey
from gpudb.sql.tensors.items import KeyItem
from gpudb.sql.tensors.relation import NotTaken, Relation
from gpudb.sql.tensors.scope import Operand, Scope, inside


def finished(
    operand: Operand,
    tests: KeyTests,
    keys: Sequence[KeyItem],
    columns: tuple[str, ...],
    block: str,
    sources: Mapping[str, StoredTensor],
    scope: Scope,
) -> Relation:
    """The relation that a SELECT returns; see :class:`Relation` for its parts."""
    selected = {key.label for key in keys}
    operand, tests = _without_others(operand, tests, selected, scope)
    by_label = {key.label: key for key in keys}
    if missing := selected - set(operand.labels):
        raise NotTaken(f"the blocks have no key column {scope.name(min(missing))}")
    node: Node = operand.node
    if any((key.scale, key.offset) != (1, 0) for key in keys):
        node, tests = _filtered(node, tests, operand), ()
        moved = [
            (axis, by_label[label].scale, by_label[label].offset) if label >= 0 else (axis, 1, 0)
            for axis, label in enumerate(operand.labels)
        ]
        node = Rekey(node, tuple(moved))
    names = tuple(by_label[x].name if x >= 0 else None for x in operand.labels)
    on_axes = renumbered(tests, {label: axis for axis, label in enumerate(operand.labels)})
    assert on_axes is not None  # tests on other keys are done with
    return Relation(node, names, columns, sources, block, on_axes)


def _without_others(
    operand: Operand, tests: KeyTests, selected: set[int], scope: Scope
) -> tuple[Operand, KeyTests]:
    """Project the keys that are not returned away; WHERE leaves one value of each."""
    others = [label for label in operand.labels if label >= 0 and label not in selected]
    if not others:
        return operand, tests
    node, s = operand.node, operand.node.schema
    dropped = []
    for label in others:
        axis = operand.labels.index(label)
        found = _only_key(label, tests, s.grid_along(axis))
        if found is None:
            raise NotTaken(
                f"key column {scope.name(label)} is neither in the SELECT list nor fixed by "
                f"WHERE; add it, fix it ({scope.name(label)} = 0), or SUM(…) GROUP BY the others"
            )
        dropped.append((axis, found))
    mixed = tuple(test for test in tests if _about(test, others) and _about(test, selected))
    node = _filtered(node, mixed, operand)
    tests = tuple(test for test in tests if not _about(test, others))
    axes = tuple(axis for axis, _ in dropped)
    if any(s.grid_along(axis) != 1 or s.block[axis] == 1 for axis in axes):
        node = Project(node, tuple(sorted(dropped)))
        left = [
            -1 if axis in axes else label
            for axis, label in enumerate(operand.labels)
            if axis not in axes or s.block[axis] != 1
        ]
    else:  # one block along each: it stays, and only has no key any more
        left = [-1 if axis in axes else label for axis, label in enumerate(operand.labels)]
    return Operand(node, inside(tuple(left) or (-1,)), operand.uses), tests


def _only_key(label: int, tests: KeyTests, grid: int) -> int | None:
    """The one key of a column that passes the tests on it alone; None if there are others."""
    mine = [(0, op, value) for axis, op, value in tests if axis == label and type(value) is not str]
    keys = np.arange(grid, dtype=np.int32).reshape(-1, 1)
    passed = np.flatnonzero(matching(keys, tuple(mine)))
    return int(passed[0]) if len(passed) == 1 else None


def _about(test: KeyTest, labels: Collection[int]) -> bool:
    """True for a test on one of the labels."""
    axis, _, value = test
    return axis in labels or (isinstance(value, str) and int(value[1:]) in labels)


def _filtered(node: Node, tests: KeyTests, operand: Operand) -> Node:
    if not tests:
        return node
    on_axes = renumbered(tests, {label: axis for axis, label in enumerate(operand.labels)})
    assert on_axes is not None
    return FilterKeys(node, on_axes)
