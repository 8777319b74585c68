"""Nodes that the rules make out of several: one GEMM or one kernel each."""

from __future__ import annotations

from dataclasses import dataclass

from gpudb.plan.node import Node
from gpudb.types import TensorSchema


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Linear(Node):
    """``activation(x @ weight.T + bias)``: x ``(n, in)``, weight ``(out, in)`` -> ``(n, out)``."""

    x: Node
    weight: Node
    bias: Node
    activation: str | None = None

    @property
    def schema(self) -> TensorSchema:
        x, w = self.x.schema, self.weight.schema
        shape = (x.shape[0], w.shape[0])
        return TensorSchema("linear", shape, (x.block[0], w.block[0]))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ResidualNorm(Node):
    """``layer_norm(x + bias + residual)`` in one pass over each row."""

    x: Node
    residual: Node
    gamma: Node
    beta: Node
    eps: float
    bias: Node | None = None

    @property
    def schema(self) -> TensorSchema:
        s = self.residual.schema
        return TensorSchema("residual_norm", s.shape, s.block, s.dtype)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EmbeddingNorm(Node):
    """``layer_norm(sum of table[rows])`` over pairs of tables and row numbers, in one pass."""

    tables: tuple[Node, ...]
    rows: tuple[Node, ...]
    gamma: Node
    beta: Node
    eps: float

    @property
    def schema(self) -> TensorSchema:
        rows, table = self.rows[0].schema, self.tables[0].schema
        shape = (rows.shape[0], table.shape[1])
        return TensorSchema("embedding_norm", shape, (rows.block[0], table.shape[1]))
