"""Functions of pylibcudf on columns and tables. All of them wait for the device."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.cuda.standin.plc.column import Column, Table, from_host, offsets_of, on_stream, values_of
from tests.cuda.standin.plc.types import (
    MOST_ROWS,
    DataType,
    NullEquality,
    Order,
    OutOfBoundsPolicy,
    TypeId,
)


def inner_join(
    left_keys: Any, right_keys: Any, nulls_equal: Any, stream: Any = None, mr: Any = None
) -> tuple[Any, Any]:
    """Rows that match, in no order at all: another one at every call, as on a GPU."""
    _expect(left_keys, Table)
    _expect(right_keys, Table)
    _expect(nulls_equal, NullEquality)
    types = [[c.type() for c in t.columns()] for t in (left_keys, right_keys)]
    if types[0] != types[1]:
        raise TypeError(f"keys of different types: {types[0]} and {types[1]}")
    with on_stream(stream):
        maps = _pairs(_keys(left_keys), _keys(right_keys))
        np.random.default_rng(next(_calls)).shuffle(maps)
        return from_host(maps[:, 0]), from_host(maps[:, 1])


def stable_sorted_order(
    source_table: Any,
    column_order: Sequence[Any],
    null_precedence: Sequence[Any],
    stream: Any = None,
    mr: Any = None,
) -> Any:
    _expect(source_table, Table)
    columns = source_table.columns()
    for given in (column_order, null_precedence):
        if given and len(given) != len(columns):
            raise ValueError("one order for every column, or none")
    if any(order is not Order.ASCENDING for order in column_order):
        raise NotImplementedError("descending order is not in the stand-in")
    with on_stream(stream):
        return from_host(np.lexsort([values_of(c) for c in reversed(columns)]).astype(np.int32))


def gather(
    source_table: Any, gather_map: Any, bounds_policy: Any, stream: Any = None, mr: Any = None
) -> Any:
    """Chosen rows; numbers out of range are an error even where libcudf does not look."""
    _expect(source_table, Table)
    _expect(gather_map, Column)
    _expect(bounds_policy, OutOfBoundsPolicy)
    if gather_map.type().id() is not TypeId.INT32:
        raise TypeError(f"a gather map is int32, got {gather_map.type()}")
    with on_stream(stream):
        rows = values_of(gather_map)
        if rows.size and not 0 <= rows.min() <= rows.max() < source_table.num_rows():
            raise IndexError(f"rows {rows.min()}..{rows.max()} of {source_table.num_rows()}")
        return Table([_gathered(column, rows) for column in source_table.columns()])


def concatenate(objects: Sequence[Any], stream: Any = None, mr: Any = None) -> Any:
    if not objects:
        raise ValueError("nothing to concatenate")
    with on_stream(stream):
        if isinstance(objects[0], Table):
            columns = zip(*(t.columns() for t in objects), strict=True)
            return Table([_joined(parts) for parts in columns])
        return _joined(objects)


def rows_of(column: Any, rows: Any) -> Any:
    """The elements of chosen lists, one after another."""
    offsets = offsets_of(column)
    pieces = [np.arange(offsets[i], offsets[i + 1]) for i in rows]
    return np.concatenate(pieces) if pieces else np.empty(0, np.int64)


def _gathered(column: Any, rows: Any) -> Column:
    if column.type().id() is not TypeId.LIST:
        return from_host(values_of(column)[rows])
    lengths = np.diff(offsets_of(column))[rows].astype(np.int64)
    if lengths.sum() > MOST_ROWS:
        raise OverflowError("the lists together are too long for size_type")
    return _lists(lengths, _gathered(column.child(1), rows_of(column, rows)))


def _joined(parts: Sequence[Any]) -> Column:
    if len({p.type() for p in parts}) > 1:
        raise TypeError("columns of different types cannot be concatenated")
    if parts[0].type().id() is not TypeId.LIST:
        return from_host(np.concatenate([values_of(p) for p in parts]))
    lengths = np.concatenate([np.diff(offsets_of(p)) for p in parts]).astype(np.int64)
    if lengths.sum() > MOST_ROWS:
        raise OverflowError("the lists together are too long for size_type")
    return _lists(lengths, _joined([p.list_view().get_sliced_child() for p in parts]))


def _lists(lengths: Any, child: Column) -> Column:
    offsets = from_host(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    return Column(DataType(TypeId.LIST), len(lengths), None, None, 0, 0, [offsets, child])


def _pairs(left: list[Any], right: list[Any]) -> Any:
    rows: dict[Any, list[int]] = {}
    for row, key in enumerate(right):
        rows.setdefault(key, []).append(row)
    pairs = [(i, j) for i, key in enumerate(left) for j in rows.get(key, ())]
    return np.array(pairs, np.int32).reshape(-1, 2)


def _keys(table: Any) -> list[tuple[Any, ...]]:
    return list(zip(*(values_of(c).tolist() for c in table.columns()), strict=True))


def _expect(value: Any, wanted: type) -> None:
    if not isinstance(value, wanted):
        raise TypeError(f"expected {wanted.__name__}, got {type(value).__name__}")


_calls = itertools.count()
