"""Things made ahead: all of them, in order, one at a time, and while the last one is in use."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudb.exec.ahead import ahead

PATIENCE = 30
"""Seconds, of a test that fails."""


@given(st.lists(st.none() | st.integers() | st.just(())))
def test_the_same_items_come_in_the_same_order(items: list[object]) -> None:
    assert list(ahead(iter(items))) == items


def test_the_next_is_made_while_one_is_in_use() -> None:
    made = [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    found = ahead(items())
    assert next(found) == 0
    assert made[1].wait(PATIENCE)
    assert not made[2].is_set()  # no more than one waits
    assert list(found) == [1, 2]


def test_an_error_comes_where_its_item_would_have() -> None:
    def items() -> Iterator[int]:
        yield 0
        raise ValueError("the second cannot be made")

    found = ahead(items())
    assert next(found) == 0
    with pytest.raises(ValueError, match="the second"):
        next(found)


def test_who_stops_early_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    found = ahead(iter(range(1000)))
    assert next(found) == 0
    (started,) = set(threading.enumerate()) - before
    del found  # what closes a generator
    assert not started.is_alive()
