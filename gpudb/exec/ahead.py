"""Make the next of several things while one is worked on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items; a thread makes the one that comes next while the last one is in use.

    Never more than one: what is waiting takes memory. An error is raised where its item would have
    come.
    """
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(_following, items)
        while found := following.result():
            following = pool.submit(_following, items)
            yield found[0]


def _following(items: Iterator[T]) -> tuple[T] | tuple[()]:
    """The next item by itself, nothing after the last."""
    for item in items:
        return (item,)
    return ()
