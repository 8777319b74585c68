"""Rows gathered from several tables, added and normalised, in one pass over each row."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.exec.operators.layer_norm import FLOPS_PER_ELEMENT
from gpudb.kernels.embedding_layer_norm import embedding_layer_norm
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EmbeddingNormRows(PhysicalOp):
    """k tables ``(1, r, w)``, k columns of row numbers ``(1, n)``, gamma, beta -> ``(1, n, w)``."""

    eps: float

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        *pairs, gamma, beta = (i[0] for i in inputs)
        tables, rows = pairs[: self.tables], pairs[self.tables :]
        return ctx.backend.call(embedding_layer_norm, tables, rows, gamma, beta, self.eps)[None]

    @property
    def tables(self) -> int:
        """How many tables are joined."""
        return (len(self.children) - 2) // 2

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out.bind(sizes)
        return Cost(
            flops=(FLOPS_PER_ELEMENT + self.tables - 1) * prod(out.numbers),
            read=self.tables * out.nbytes,
            written=out.nbytes,
        )

    def detail(self) -> str:
        return f"{self.tables} tables"
