"""What callers write -> what nodes hold: axes from either end, whole numbers, tests on keys."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping
from typing import Any

from gpudb.errors import InputError
from gpudb.keys import COMPARE, KeyTest, KeyTests
from gpudb.types import TensorSchema

_KEY_COLUMN = re.compile(r"i(\d+)")


def whole(value: object, what: str) -> int:
    """A whole number, Python's or NumPy's, as an ``int``."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"{what}: found {value!r:.100}; expected a whole number") from None


def wholes(values: object, what: str) -> tuple[int, ...]:
    """Several whole numbers; one alone is a tuple of one."""
    if isinstance(values, Iterable) and not isinstance(values, str):
        return tuple(whole(value, what) for value in values)
    return (whole(values, what),)


def number(value: object) -> float:
    """A real number to compute with."""
    if not isinstance(value, bool | str | bytes | complex) and hasattr(value, "__float__"):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):  # e.g. an array of several, or 10**400
            pass
    raise InputError(
        f"found {type(value).__name__}; expected a number or a tensor of the database: store an "
        "array with create_tensor"
    )


def axis_of(axis: object, s: TensorSchema, step: str) -> int:
    """An axis of ``s``, counted from 0; negative ones count from the end."""
    found = whole(axis, f"{step}: axis")
    if not -s.ndim <= found < s.ndim:
        raise InputError(
            f"{step}: {s.name} ({s}) has no axis {found}; expected {-s.ndim} to {s.ndim - 1}"
        )
    return found % s.ndim


def axes_of(axes: object, s: TensorSchema, step: str) -> tuple[int, ...]:
    """Several axes; one alone is a tuple of one."""
    return tuple(axis_of(axis, s, step) for axis in wholes(axes, f"{step}: axes"))


def key_axis(column: object, s: TensorSchema, step: str) -> int:
    """The axis behind a key column: ``"i1"``, or the number of the axis."""
    if isinstance(column, str):
        match = _KEY_COLUMN.fullmatch(column)
        if match is None or int(match[1]) >= s.ndim:
            columns = ", ".join(f"i{axis}" for axis in range(s.ndim))
            raise InputError(
                f"{step}: {s.name} ({s}) has no key column {column!r}; it has {columns}"
            )
        return int(match[1])
    return axis_of(column, s, step)


def key_tests(tests: tuple[object, ...], equal: Mapping[str, object], s: TensorSchema) -> KeyTests:
    """Tests as :mod:`gpudb.keys` has them.

    Parameters
    ----------
    tests
        Triples ``(key column, op, value)``.
    equal
        Key column -> the value it must have, or the values it may have.
    s
        What is tested.
    """
    written: list[Any] = [*tests]
    for column, value in equal.items():
        several = isinstance(value, Iterable) and not isinstance(value, str)
        written.append((column, "in" if several else "=", value))
    if not written:
        raise InputError("filter: no test; write for example filter(i0=3) or ('i0', '>=', 3)")
    return tuple(_key_test(test, s) for test in written)


def _key_test(test: Any, s: TensorSchema) -> KeyTest:
    if not isinstance(test, tuple | list) or len(test) != 3:
        raise InputError(
            f"filter: found {test!r:.100}; expected (key column, op, value), for example "
            "('i0', '>=', 3)"
        )
    column, op, value = test
    op = "=" if op == "==" else op
    if op != "in" and op not in COMPARE:
        raise InputError(f"filter: no comparison {op!r}; there are {', '.join(COMPARE)}, in")
    axis = key_axis(column, s, "filter")
    if op == "in":
        return axis, op, wholes(value, f"filter: values of i{axis}")
    if isinstance(value, str):
        return axis, op, f"i{key_axis(value, s, 'filter')}"
    return axis, op, whole(value, f"filter: value of i{axis}")
