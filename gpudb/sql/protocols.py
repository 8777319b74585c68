"""What the SQL door needs from the rest of the house."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

import pyarrow as pa

from gpudb.catalog import NamedTensor, StoredTensor
from gpudb.functions import Options
from gpudb.plan.node import Node
from gpudb.report import PlanReport


class ModelCounts(Protocol):
    """What every run of a model can tell."""

    @property
    def model(self) -> str:
        """Name and version."""

    @property
    def device(self) -> str:
        """Where it ran."""

    @property
    def tokens(self) -> int:
        """Tokens the model ran over."""

    @property
    def padded_tokens(self) -> int:
        """Rows it computed beyond those."""

    @property
    def flops(self) -> int:
        """Floating-point operations."""

    @property
    def peak_nbytes(self) -> int:
        """Most bytes of arrays held at once."""


Reporter: TypeAlias = Callable[[object, str], PlanReport]
"""A model's plan, measured when statistics of a run are given (else None); and what its vectors are
called."""


class ModelFunctions(Protocol):
    """The models a query may call."""

    def returns(self, function: str, model: str, options: Options, /) -> pa.DataType:
        """Type of a function's answers; a GpudbError if the model cannot answer it."""

    def reads(self, model: str, /) -> pa.DataType:
        """Type of the columns a model reads: ``large_string``, or ``large_binary`` of images."""

    def ask(
        self, function: str, model: str, texts: Sequence[pa.Array], options: Options, /
    ) -> tuple[pa.Array, ModelCounts]:
        """Distinct rows of texts without nulls -> a row for each, and what it took."""

    def formed(self, function: str, model: str, rows: pa.Array, options: Options, /) -> pa.Array:
        """A function's answers, of rows that :meth:`ask` returned."""

    def profiling(self) -> AbstractContextManager[None]:
        """While it is entered, operators are timed one by one."""

    def reporter(self, function: str, model: str, /) -> Reporter:
        """What reports on a function of the model as it is now."""

    def report_relational(self, function: str, model: str, into: str = "", /) -> PlanReport:
        """The plan of a function of the model before any rule."""


class TableStore(Protocol):
    """The user's tables and the catalog's."""

    def views(self) -> Mapping[str, str]:
        """Table name -> SQL that reads it."""

    def catalog(self) -> Mapping[str, Callable[[], pa.Table]]:
        """Name under schema ``gpudb`` -> its rows."""

    def change_counter(self) -> tuple[int, int]:
        """Changes whenever a table or the catalog does."""

    def create(
        self, name: str, data: object, *, replace: bool = False, if_not_exists: bool = False
    ) -> None:
        """Store a table."""

    def insert(self, name: str, data: object) -> None:
        """Add rows, in the table's columns and types."""

    def schema(self, name: str) -> pa.Schema:
        """Columns of a table."""

    def drop(self, name: str, *, if_exists: bool = False) -> None:
        """Remove a table."""


class TensorFunctions(Protocol):
    """The stored tensors, and what computes plans over them."""

    def names(self) -> Sequence[str]:
        """Tensors of their own, and the models whose tensors are ``model/tensor``."""

    def find(self, name: str, /) -> NamedTensor:
        """The tensor ``x``, or ``model/x``; a CatalogError that lists those there are."""

    def compute(self, plan: Node, sources: Mapping[str, StoredTensor], /) -> pa.Table:
        """The blocks of the result: key columns ``i0``, ``i1``, … and ``block``."""

    def report(
        self, plan: Node, sources: Mapping[str, StoredTensor], /, *, analyze: bool
    ) -> PlanReport:
        """How a plan runs; ``analyze`` runs it."""

    def block_lists(
        self, names: Sequence[tuple[str | None, int | None, str, int]], /
    ) -> pa.ChunkedArray:
        """The elements of single blocks as lists; (model, version, tensor, position) each."""

    def create(
        self,
        name: str,
        plan: Node,
        sources: Mapping[str, StoredTensor],
        /,
        *,
        keys: Sequence[str] = (),
        replace: bool = False,
        if_not_exists: bool = False,
    ) -> int:
        """Store the result of a plan; how many blocks."""

    def insert(self, name: str, rows: pa.Table, /) -> None:
        """Add blocks at keys that a tensor lacks: columns of keys, then lists of elements."""

    def drop(self, name: str, /, *, if_exists: bool = False) -> None:
        """Forget a tensor."""
