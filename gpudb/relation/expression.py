"""What every expression is: a plan, the stored tensors it reads, and what computes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Self

import pyarrow as pa

from gpudb.catalog import StoredTensor
from gpudb.errors import InputError, SchemaError
from gpudb.plan.node import Node
from gpudb.plan.tensor import Scan
from gpudb.relation.device_tensor import DeviceTensor
from gpudb.relation.engine import TensorEngine
from gpudb.report import RENDERERS, Report
from gpudb.types import HostArray, TensorSchema


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Expression:
    """The base of :class:`~gpudb.relation.TensorRelation`; the themes add methods to it."""

    plan: Node
    sources: Mapping[str, StoredTensor]
    """Name in the plan -> the stored tensor it reads."""
    engine: TensorEngine = field(repr=False)

    @property
    def schema(self) -> TensorSchema:
        """Shape, blocks and dtype of the result."""
        return self.plan.schema

    @property
    def shape(self) -> tuple[int, ...]:
        """Extents of the result."""
        return self.plan.schema.numbers

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.plan.schema.ndim

    @property
    def dtype(self) -> str:
        """Logical dtype of one element."""
        return self.plan.schema.dtype

    def explain(self, analyze: bool = False, format: str = "text") -> str:
        """The plan as written, after the rules, and as operators.

        Parameters
        ----------
        analyze
            Compute it, and show what each operator took.
        format
            ``"text"``, ``"json"`` or ``"html"``.
        """
        if format not in RENDERERS:
            raise InputError(f"format is {format!r}; expected one of {', '.join(RENDERERS)}")
        report = self.engine.report(self.plan, self.sources, analyze=analyze)
        return RENDERERS[format](Report(self.plan.label(), plans=(report,)))

    def collect(self) -> HostArray:
        """Compute it: a dense array; half types come as float32."""
        return self.engine.collect(self.plan, self.sources)

    def on_device(self) -> DeviceTensor:
        """Compute it and leave the result where it is, for other libraries to take over."""
        return self.engine.on_device(self.plan, self.sources)

    def arrow(self) -> pa.Table:
        """Compute it: the relation as a table, one row per block that is there.

        Returns
        -------
        pyarrow.Table
            Key columns ``i0``, ``i1``, … (int32), and ``block``: a list of the elements that lie
            inside the tensor, row-major. Missing blocks are zero.
        """
        return self.engine.arrow(self.plan, self.sources)

    def parquet(self, path: str | PathLike[str]) -> None:
        """Compute it, and write the relation as a Parquet file, see :meth:`arrow`.

        ``create_tensor(name, path)`` of any database reads it back: shape, blocks and dtype are in
        the file's metadata. A stored tensor is written as it is stored; half types as lists of
        their 16 bits. On a GPU, cuDF writes it.

        Parameters
        ----------
        path
            The file; one that is there is replaced.
        """
        self.engine.parquet(self.plan, self.sources, path)

    def store(
        self, name: str, *, block: tuple[int, ...] | None = None, sparse: bool = False
    ) -> Self:
        """Compute it and keep the result under a name.

        Parameters
        ----------
        name
            Its name.
        block
            Extent of a block along each axis; None for the blocks it is computed in.
        sparse
            Leave out blocks of zeros.

        Returns
        -------
        Self
            The stored tensor.
        """
        stored = self.engine.store(self.plan, self.sources, name, block=block, sparse=sparse)
        return type(self)(Scan(stored.schema), {name: stored}, self.engine)

    def _of(self, plan: Node) -> Self:
        """Another expression over the same tensors."""
        _ = plan.schema  # what does not fit is said where it is written, not where it is computed
        return type(self)(plan, self.sources, self.engine)

    def _over(self, plan: Node, *others: Expression) -> Self:
        """An expression over the tensors of this one and of others."""
        sources = dict(self.sources)
        for other in others:
            for name, tensor in other.sources.items():
                if sources.setdefault(name, tensor).id != tensor.id:
                    raise SchemaError(
                        f"two different tensors are called {name!r}; rename one of them"
                    )
        _ = plan.schema
        return type(self)(plan, sources, self.engine)

    def _node(self, other: object) -> Node:
        """The plan of the other side of an operation."""
        if not isinstance(other, Expression):
            raise InputError(
                f"found {type(other).__name__}; the other side must be a tensor of the database: "
                "store it with create_tensor"
            )
        if other.engine is not self.engine:
            raise InputError(
                f"{self.schema.name} and {other.schema.name} belong to two different databases; "
                "collect one and store it in the other's database with create_tensor"
            )
        return other.plan
