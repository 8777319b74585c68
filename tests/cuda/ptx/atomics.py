"""What atomics do to a number in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Change = Callable[..., Any]

OPERATIONS: Mapping[str, Change] = {
    "add": np.add,
    "min": np.minimum,
    "max": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "exch": lambda old, value: value,
    "inc": lambda old, limit: np.where(old >= limit, 0, old + 1).astype(old.dtype),
    "dec": lambda old, limit: np.where((old == 0) | (old > limit), limit, old - 1),
}


def compare_and_swap(old: Any, expected: Any, value: Any) -> Any:
    """``value`` where what is there is as expected."""
    return np.where(old == expected, value, old)


def in_turn(view: Any, index: Any, change: Change, operands: Sequence[Any]) -> Any:
    """Change elements one thread after the other; what each of them found there.

    Threads that mean different elements go together: first all that are the first at theirs.
    """
    found = np.empty(len(index), view.dtype)
    for turn in _turns(index):
        at = index[turn]
        found[turn] = view[at]
        view[at] = change(found[turn], *(operand[turn] for operand in operands))
    return found


def _turns(index: Any) -> list[Any]:
    order = np.argsort(index, kind="stable")
    ordered = index[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    rank = np.arange(len(index)) - np.repeat(starts, np.diff(np.r_[starts, len(index)]))
    return [order[rank == turn] for turn in range(int(rank.max(initial=-1)) + 1)]
