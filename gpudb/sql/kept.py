"""Statements that were split before: nothing of that is done again while it stays true."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import pyarrow as pa

from gpudb.sql.connection import Parameters
from gpudb.sql.split import Split

MOST = 64
"""Statements that are kept, those that ran last."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A split, and what must be as it was for it to hold."""

    split: Split
    counter: object
    """Of changes of tables and models."""
    rows: tuple[pa.Schema, ...]
    """What DuckDB found for each part: a file that a statement reads may change its columns."""
    result: pa.Schema
    """Before its columns were renamed."""

    def holds(self, counter: object, parameters: Parameters) -> bool:
        """True when the same would come of splitting the statement again, as far as known yet."""
        return counter == self.counter and all(
            name in parameters
            and type(parameters[name]) is type(value)
            and parameters[name] == value
            for name, value in self.split.read.items()
        )


class KeptStatements:
    """The splits of the statements that ran last, by their text."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], Kept] = OrderedDict()

    def find(self, text: str, parameters: Parameters, counter: object) -> Kept | None:
        """What was kept of a statement, if it still holds."""
        key = _key(text, parameters)
        kept = self._kept.get(key)
        if kept is None or not kept.holds(counter, parameters):
            return None
        self._kept.move_to_end(key)
        return kept

    def keep(self, text: str, parameters: Parameters, kept: Kept) -> None:
        """Remember a statement, and forget the one that ran longest ago."""
        key = _key(text, parameters)
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget all: a setting, a macro or a temporary table may have changed."""
        self._kept.clear()


def _key(text: str, parameters: Parameters) -> tuple[object, ...]:
    return text, *((name, type(value)) for name, value in parameters.items())
