"""Rows gathered from several tables, added and normalised, in one pass over each row."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.operator import Context, Cost, Joined, Panels, PhysicalOp
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
    def panelled(self) -> tuple[int, ...]:
        return tuple(range(self.tables))

    def run_panels(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        given = list(inputs)
        for place in self.panelled:
            table = given[place]
            if isinstance(table, Panels):
                rows = given[self.tables + place]
                given[place], given[self.tables + place] = _taken(ctx.backend, table, rows[0])
        return self.run(ctx, joined, *given)

    def panel_scratch(self, sizes: Sizes) -> int:
        # The rows of the table, once by panel and once together, and their numbers.
        out, rows = self.out.bind(sizes), self.children[self.tables].out.bind(sizes)
        return 2 * out.nbytes + 4 * 8 * prod(rows.numbers)

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


def _taken(backend: Backend, table: Panels, rows: Array) -> tuple[Array, Array]:
    """The wanted rows of a table that comes in panels, and which of them stands at each place.

    They come panel by panel, so the second result says ``(1, n)`` where each one went.
    """
    numbers = backend.to_host(rows)
    order = np.argsort(numbers, kind="stable")
    rising = numbers[order]
    parts = []
    for first, panel in table:
        start, stop = np.searchsorted(rising, [first, first + len(panel)])
        parts.append(backend.take(panel, rising[start:stop] - first))
    places = np.empty_like(numbers)
    places[order] = np.arange(len(order), dtype=numbers.dtype)
    return backend.concat(parts)[None], backend.to_device(places)[None]
