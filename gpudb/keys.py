"""Tests on block keys: which blocks of a relation a query wants.

A test is plain data, so that a plan can be stored: ``(axis, op, value)``. The value is a block
number, a tuple of them for ``"in"``, or the name of another key column (``"i1"``) for tests that
compare two. With a tuple of axes and ``"in"``, the value is a tuple of keys: a semi-join with a
relation of keys. Tests are evaluated when a plan is prepared; blocks that fail are never read.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from gpudb.errors import SchemaError

KeyTest: TypeAlias = tuple[Any, str, Any]
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

Keys: TypeAlias = npt.NDArray[Any]
"""``(n, k)`` whole numbers, not negative."""

Rows: TypeAlias = npt.NDArray[np.int64]
"""Row numbers."""

SHOWN_KEYS = 4
"""Keys of a long list that EXPLAIN names."""

_OTHER_KEY = re.compile(r"i(\d+)")


def check_tests(tests: KeyTests, ndim: int) -> None:
    """Raise unless every test is one over ``ndim`` key columns."""
    for test in tests:
        if len(test) != 3 or not _is_test(*test, ndim):
            raise SchemaError(
                f"key test {test!r:.200}: expected (axis, op, block number) with an axis below "
                f"{ndim} and one of {', '.join(COMPARE)}, or (axis, 'in', block numbers)"
            )


def matching(keys: npt.NDArray[np.int32], tests: KeyTests) -> npt.NDArray[np.bool_]:
    """Which of the keys ``(n, ndim)`` pass all tests: ``(n,)``."""
    passed = np.ones(len(keys), np.bool_)
    for axis, op, value in tests:
        if isinstance(axis, tuple):
            passed &= _among(keys[:, list(axis)], np.array(value, np.int64).reshape(-1, len(axis)))
        elif op == "in":
            passed &= np.isin(keys[:, axis], np.asarray(value, np.int64))
        else:
            other = keys[:, _other(value)] if _is_key(value) else value
            passed &= COMPARE[op](keys[:, axis], other)
    return passed


def in_shared_sequences(offsets: tuple[int, ...], step: int) -> KeyTest:
    """Keep pairs of row blocks ``(i0, …, i2)`` in which some pair of rows shares a sequence.

    Parameters
    ----------
    offsets
        Sequence i has the rows ``offsets[i]:offsets[i + 1]``.
    step
        Rows of a block.
    """
    starts = np.arange(0, offsets[-1], step)
    last_rows = np.minimum(starts + step, offsets[-1]) - 1
    first, last = (np.searchsorted(offsets, rows, "right") for rows in (starts, last_rows))
    # Sequences are runs of rows: two blocks share one exactly when their ranges overlap.
    pairs = np.argwhere((first[:, None] <= last) & (first <= last[:, None]))
    return ((0, 2), "in", tuple(map(tuple, pairs.tolist())))


def describe_tests(tests: KeyTests, names: Sequence[str] | None = None) -> str:
    """Text for EXPLAIN, e.g. ``i0 >= 3 and i1 in (0, 2)``."""
    return " and ".join(_describe(*test, names) for test in tests)


def renumbered(tests: KeyTests, axes: Mapping[int, int]) -> KeyTests | None:
    """The tests over other key columns, ``axes`` old -> new; None if one of them is not there."""
    new: list[KeyTest] = []
    for axis, op, value in tests:
        used = {*(axis if isinstance(axis, tuple) else (axis,))}
        used |= {_other(value)} if _is_key(value) else set()
        if not used <= axes.keys():
            return None
        moved = tuple(axes[a] for a in axis) if isinstance(axis, tuple) else axes[axis]
        new.append((moved, op, f"i{axes[_other(value)]}" if _is_key(value) else value))
    return tuple(new)


def _among(keys: npt.NDArray[Any], wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which rows of ``keys`` are rows of ``wanted``."""
    if not len(keys) or not len(wanted):
        return np.zeros(len(keys), np.bool_)
    extents = np.maximum(keys.max(0), wanted.max(0)) + 1
    found: npt.NDArray[np.bool_] = np.isin(
        np.ravel_multi_index(tuple(keys.T), tuple(extents)),
        np.ravel_multi_index(tuple(wanted.T), tuple(extents)),
    )
    return found


def _describe(axis: Any, op: str, value: Any, names: Sequence[str] | None) -> str:
    axes = axis if isinstance(axis, tuple) else (axis,)
    columns = ", ".join(names[a] if names else f"i{a}" for a in axes)
    left = f"({columns})" if isinstance(axis, tuple) else columns
    if op == "in" and len(value) > SHOWN_KEYS:
        shown = ", ".join(str(v) for v in value[:SHOWN_KEYS])
        return f"{left} in ({shown}, … {len(value)} keys)"
    return f"{left} {op} {value}"


def _is_test(axis: object, op: object, value: Any, ndim: int) -> bool:
    if isinstance(axis, tuple):
        return (
            op == "in"
            and bool(axis)
            and all(_is_axis(a, ndim) for a in axis)
            and isinstance(value, tuple)
            and all(isinstance(v, tuple) and len(v) == len(axis) and _are_counts(v) for v in value)
        )
    if not _is_axis(axis, ndim):
        return False
    if op == "in":
        return isinstance(value, tuple) and all(type(v) is int for v in value)
    if op not in COMPARE:
        return False
    return type(value) is int or (_is_key(value) and _other(value) < ndim)


def _is_axis(axis: object, ndim: int) -> bool:
    return type(axis) is int and 0 <= axis < ndim


def _are_counts(values: tuple[object, ...]) -> bool:
    return all(type(v) is int and v >= 0 for v in values)


def _is_key(value: object) -> bool:
    return isinstance(value, str) and _OTHER_KEY.fullmatch(value) is not None


def _other(value: str) -> int:
    return int(value[1:])


def equal_pairs(left: Keys, right: Keys) -> tuple[Rows, Rows]:
    """Row numbers of all pairs of rows ``(n, k)`` and ``(m, k)`` that are equal: a hash-free join.

    In order of the left row, then of the right one. Without columns every row meets every other.
    """
    wanted, there = _numbered(left, right)
    order = np.argsort(there, kind="stable")
    first = np.searchsorted(there[order], wanted, "left")
    count = np.searchsorted(there[order], wanted, "right") - first
    rows_left = np.repeat(np.arange(len(left)), count)
    within = np.arange(len(rows_left)) - np.repeat(np.cumsum(count) - count, count)
    return rows_left, order[np.repeat(first, count) + within]


def _numbered(left: Keys, right: Keys) -> tuple[Rows, Rows]:
    """One number for each row, equal where rows are: keys are not negative."""
    extents = np.max(np.concatenate([left, right]), axis=0, initial=0).astype(np.int64) + 1
    numbers = [np.zeros(len(keys), np.int64) for keys in (left, right)]
    for axis, extent in enumerate(extents.tolist()):
        numbers = [
            n * extent + keys[:, axis] for n, keys in zip(numbers, (left, right), strict=True)
        ]
    return numbers[0], numbers[1]
