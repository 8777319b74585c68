"""A database with a few tensors, and what reads blocks back into arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import gpudb
from gpudb import Database
from gpudb.relation import StoredTensors
from gpudb.sql.statements import parse
from gpudb.sql.tensors.binder import Binder
from gpudb.sql.tensors.relation import Relation

SHAPES = {
    "a": ((7, 5), (3, 2)),
    "b": ((5, 6), (2, 4)),
    "c": ((7, 5), (3, 2)),
    "w": ((6, 5), (4, 2)),
    "v": ((5,), (2,)),
    "t": ((4, 3, 5), (2, 3, 2)),
    "panels": ((7, 5), (3, 5)),
}


@dataclass
class Tensors:
    """A database, and its tensors as arrays."""

    db: Database
    arrays: dict[str, np.ndarray[Any, Any]]

    def bind(self, sql: str, params: dict[str, Any] | None = None) -> Relation:
        """What a query over tensors alone stands for."""
        names = StoredTensors(self.db._store, self.db._engine)
        return Binder(names, params or {}, lambda name: False).query(parse(sql))

    def table(self, sql: str, params: Any = None) -> pa.Table:
        """What gpudb answers."""
        return self.db.sql(sql, params).arrow()

    def dense(self, sql: str, params: Any = None) -> np.ndarray[Any, Any]:
        """The tensor that a query over tensors alone computes."""
        relation = self.bind(sql, params)
        return self.db._engine.collect(relation.result, relation.sources)


def exploded(table: pa.Table, name: str = "block") -> dict[tuple[int, ...], list[float]]:
    """Keys -> elements of the block, of a table with one column of blocks."""
    keys = [table.column(c).to_pylist() for c in table.column_names if c != name]
    return dict(zip(zip(*keys, strict=True), table.column(name).to_pylist(), strict=True))


def opened() -> Iterator[Tensors]:
    generator = np.random.default_rng(7)
    with gpudb.connect(history=False) as db:
        arrays = {}
        for name, (shape, block) in SHAPES.items():
            arrays[name] = generator.standard_normal(shape)
            db.create_tensor(name, arrays[name], block=block)
        yield Tensors(db, arrays)


shared = pytest.fixture(opened, scope="session", name="tensors")
own = pytest.fixture(opened, name="own")
