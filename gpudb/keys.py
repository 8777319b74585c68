"""Tests on block keys: which blocks of a relation a query wants.

A test is plain data, so that a plan can be stored: ``(axis, op, value)``. The value is a block
number, a tuple of them for ``"in"``, or the name of another key column (``"i1"``) for tests that
compare two. Tests are evaluated when a plan is prepared; blocks that fail are never read.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from gpudb.errors import SchemaError

KeyTest: TypeAlias = tuple[int, str, Any]
"""``(axis, op, value)``; see the top of the module."""

KeyTests: TypeAlias = tuple[KeyTest, ...]
"""Tests that a block must pass all of."""

COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
"""Comparison in a plan -> function."""

_OTHER_KEY = re.compile(r"i(\d+)")


def check_tests(tests: KeyTests, ndim: int) -> None:
    """Raise unless every test is one over ``ndim`` key columns."""
    for test in tests:
        if len(test) != 3 or not _is_axis(test[0], ndim) or not _is_operand(*test[1:], ndim):
            raise SchemaError(
                f"key test {test!r}: expected (axis, op, block number) with an axis below {ndim} "
                f"and one of {', '.join(COMPARE)}, or (axis, 'in', block numbers)"
            )


def matching(keys: npt.NDArray[np.int32], tests: KeyTests) -> npt.NDArray[np.bool_]:
    """Which of the keys ``(n, ndim)`` pass all tests: ``(n,)``."""
    passed = np.ones(len(keys), np.bool_)
    for axis, op, value in tests:
        column = keys[:, axis]
        if op == "in":
            passed &= np.isin(column, np.asarray(value, np.int64))
        else:
            passed &= COMPARE[op](column, keys[:, _other(value)] if _is_key(value) else value)
    return passed


def describe_tests(tests: KeyTests, names: Sequence[str] | None = None) -> str:
    """Text for EXPLAIN, e.g. ``i0 >= 3 and i1 in (0, 2)``."""
    return " and ".join(
        f"{names[axis] if names else f'i{axis}'} {op} {value}" for axis, op, value in tests
    )


def _is_axis(axis: object, ndim: int) -> bool:
    return type(axis) is int and 0 <= axis < ndim


def _is_operand(op: object, value: Any, ndim: int) -> bool:
    if op == "in":
        return isinstance(value, tuple) and all(type(v) is int for v in value)
    if op not in COMPARE:
        return False
    return type(value) is int or (_is_key(value) and _other(value) < ndim)


def _is_key(value: object) -> bool:
    return isinstance(value, str) and _OTHER_KEY.fullmatch(value) is not None


def _other(value: str) -> int:
    return int(value[1:])
