"""What a SELECT over tensors is: a plan, the names of its key columns, the tensors it reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gpudb.catalog import StoredTensor
from gpudb.errors import SqlError
from gpudb.keys import KeyTests
from gpudb.plan.node import Node
from gpudb.plan.relational import FilterKeys, Rekey
from gpudb.plan.tensor import Scan

BLOCK = "block"
"""What the column of blocks is called."""


_NUMBERED = re.compile(r"i\d+")


class NotTaken(Exception):
    """A query is no expression over tensors alone; the reason, for those who meant one."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A tensor under the names that a query gives its columns."""

    plan: Node
    keys: tuple[str | None, ...]
    """Name of the key column of each axis; None for an axis of one block, which has no column."""
    columns: tuple[str, ...]
    """All columns, keys and the block, in the order of the SELECT."""
    sources: Mapping[str, StoredTensor]
    """Name in the plan -> the stored tensor it reads."""
    block: str = BLOCK
    """Name of the column of blocks."""
    tests: KeyTests = ()
    """Rows that fail these are not there. They wait until the end: a plan has a block for every
    key, and what is done to the rows that are left must not bring the others back."""

    @property
    def result(self) -> Node:
        """The plan with its tests."""
        return FilterKeys(self.plan, self.tests) if self.tests else self.plan

    @property
    def axes(self) -> dict[str, int]:
        """Key column -> axis."""
        return {name: axis for axis, name in enumerate(self.keys) if name is not None}

    def renamed(self, names: tuple[str, ...]) -> Relation:
        """The same with other column names, for the first columns at least.

        Raises
        ------
        SqlError
            More names than columns, or one twice.
        """
        if len(names) > len(self.columns):
            raise SqlError(
                f"{len(names)} names ({', '.join(names)}) for the {len(self.columns)} columns "
                f"{', '.join(self.columns)}"
            )
        columns = (*names, *self.columns[len(names) :])
        if len({c.lower() for c in columns}) < len(columns):
            raise SqlError(f"the columns {', '.join(columns)}: a name is there twice; name each")
        new = dict(zip(self.columns, columns, strict=True))
        keys = tuple(new[name] if name is not None else None for name in self.keys)
        return Relation(self.plan, keys, columns, self.sources, new[self.block], self.tests)


def stored(name: str, tensor: StoredTensor, keys: tuple[str, ...]) -> Relation:
    """A stored tensor under a name that is unique among all models."""
    schema = tensor.schema.renamed(name)
    return Relation(Scan(schema), keys, (*keys, BLOCK), {name: tensor})


def computed(plan: Node, sources: Mapping[str, StoredTensor]) -> Relation:
    """The result of a step that makes axes of its own: its key columns are i0, i1, …"""
    keys = tuple(f"i{axis}" for axis in range(plan.schema.ndim))
    return Relation(plan, keys, (*keys, BLOCK), sources)


def merged(*relations: Relation) -> dict[str, StoredTensor]:
    """The tensors that several relations read."""
    return {name: tensor for r in relations for name, tensor in r.sources.items()}


def in_order(relation: Relation) -> tuple[Node, tuple[str, ...]]:
    """The plan with its axes in the order of the columns, and their names: what is stored.

    A name such as i1 tells a place, and so does not move with its axis.
    """
    axes = relation.axes
    named = [name for name in relation.columns if name != relation.block]
    written = iter(named)
    names = [None if name is None else next(written) for name in relation.keys]
    order = [axis if name is None else axes[name] for axis, name in enumerate(names)]
    keys = tuple(
        f"i{axis}" if name is None or _NUMBERED.fullmatch(name.lower()) else name
        for axis, name in enumerate(names)
    )
    if order == sorted(order):
        return relation.result, keys
    return Rekey(relation.result, tuple((axis, 1, 0) for axis in order)), keys
