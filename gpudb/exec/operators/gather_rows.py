"""Join row numbers with the rows of a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.exec.operators.read_input import ReadInput
from gpudb.exec.row_numbers import checked_numbers
from gpudb.kernels.take_or_zero import take_or_zero
from gpudb.types import Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GatherRows(PhysicalOp):
    """Row panels ``(p, r, …)``, numbers ``(m, b)`` -> ``(m, b, …)``.

    Panels of a full grid lie side by side, so rows are taken without cutting the table again.
    Numbers are checked, but for an input's: those are where they come in, and a device that has
    them must not be waited for.
    """

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        table, rows = inputs
        source, column = self.children[0].out, self.children[1]
        lines = table.reshape(table.shape[0] * table.shape[1], *table.shape[2:])
        if isinstance(column, ReadInput):
            return ctx.backend.take(lines, rows[0])[None]
        extent = source.shape[0]
        count = table.shape[1] if isinstance(extent, str) else extent
        on_host = ctx.backend.to_host(rows)
        numbers = checked_numbers(on_host, column.out, count, f"rows of {source.name}")
        if not len(joined.keys):
            return table[:0].reshape(0, rows.shape[1], *table.shape[2:])
        if len(numbers) == on_host.size:
            taken = ctx.backend.take(lines, numbers)
        else:
            padded = np.full(on_host.size, -1, np.int64)
            padded[: len(numbers)] = numbers
            taken = ctx.backend.call(take_or_zero, lines, padded)
        return taken.reshape(*rows.shape, *table.shape[2:])

    def cost(self, sizes: Sizes) -> Cost:
        out, rows = self.out.bind(sizes).nbytes, self.children[1].out.bind(sizes)
        # take_or_zero copies the rows that are there once more.
        padded = 0 if rows.numbers[0] % rows.block_numbers[0] == 0 else out
        numbers = 4 * 8 * rows.blocks * rows.block_numbers[0]
        return Cost(read=out + rows.nbytes, written=out, scratch=padded + numbers)

    def detail(self) -> str:
        panels = self.children[0].out.grid_along(0)
        return "" if panels == 1 else f"from {panels} row panels"
