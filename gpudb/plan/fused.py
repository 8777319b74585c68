"""Nodes that the rules make out of several: one GEMM or one kernel each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from gpudb.plan.node import Node
from gpudb.types import TensorSchema, computed_dtype


@dataclass(frozen=True, eq=False, repr=False)
class Linear(Node):
    """``activation(x @ weight.T + bias)``: x ``(n, in)``, weight ``(out, in)`` -> ``(n, out)``."""

    x: Node
    weight: Node
    bias: Node
    activation: str | None = None

    @cached_property
    def schema(self) -> TensorSchema:
        x, w = self.x.schema, self.weight.schema
        shape = (x.shape[0], w.shape[0])
        dtype = computed_dtype(x.dtype, w.dtype)
        return TensorSchema("linear", shape, (x.block[0], w.block[0]), dtype)


@dataclass(frozen=True, eq=False, repr=False)
class ResidualNorm(Node):
    """``layer_norm(x + bias + residual)`` in one pass over each row."""

    x: Node
    residual: Node
    gamma: Node
    beta: Node
    eps: float
    bias: Node | None = None

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.residual.schema
        dtype = computed_dtype(self.x.schema.dtype, s.dtype)
        return TensorSchema("residual_norm", s.shape, s.block, dtype)


@dataclass(frozen=True, eq=False, repr=False)
class RmsNorm(Node):
    """``x / sqrt(mean of squares + eps) * gamma`` in one pass over each row."""

    x: Node
    gamma: Node
    eps: float

    @cached_property
    def schema(self) -> TensorSchema:
        s = self.x.schema
        return TensorSchema("rms_norm", s.shape, s.block, computed_dtype(s.dtype))


@dataclass(frozen=True, eq=False, repr=False)
class EmbeddingNorm(Node):
    """``layer_norm(sum of table[rows])`` over pairs of tables and row numbers, in one pass."""

    tables: tuple[Node, ...]
    rows: tuple[Node, ...]
    gamma: Node
    beta: Node
    eps: float

    @cached_property
    def schema(self) -> TensorSchema:
        rows, table = self.rows[0].schema, self.tables[0].schema
        shape = (rows.shape[0], table.shape[1])
        dtype = computed_dtype(*(t.schema.dtype for t in self.tables))
        return TensorSchema("embedding_norm", shape, (rows.block[0], table.shape[1]), dtype)


@dataclass(frozen=True, eq=False, repr=False)
class Gated(Node):
    """``fn(x) · y``, element by element: ``(n, w)`` twice -> ``(n, w)``."""

    x: Node
    y: Node
    fn: str

    @cached_property
    def schema(self) -> TensorSchema:
        return self.x.schema.renamed("gated")
