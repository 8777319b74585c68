"""Group rows by a column of segment numbers."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

import numpy as np

from gpudb.backend import Array
from gpudb.exec.operator import Context, Cost, Joined, PhysicalOp
from gpudb.exec.padding import clear_padding
from gpudb.exec.row_numbers import checked_numbers
from gpudb.kernels.segment_rows import segment_rows
from gpudb.types import HostArray, Sizes, storage_dtype


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SegmentRows(PhysicalOp):
    """Full grid ``(n, r, …)``, segment numbers ``(m, r)`` -> full grid of rows by segment."""

    count: int
    fn: str

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        x, segments = inputs
        numbers = checked_numbers(
            ctx.backend.to_host(segments), self.children[1].out, self.count, "segments"
        )
        source = self.children[0].out
        columns = prod(source.grid_along(axis) for axis in range(1, source.ndim))
        rows = max(1, min(x.shape[1], self.count))
        if self.fn == "count":
            counts = self._counts(numbers, columns, rows, x.shape[2:])
            return clear_padding(ctx.backend, ctx.backend.to_device(counts), joined, self.out)
        args = (x, numbers, columns, self.count, rows, self.fn)
        return ctx.backend.call(segment_rows, *args)

    def _counts(
        self, numbers: HostArray, columns: int, rows: int, block: tuple[int, ...]
    ) -> HostArray:
        panels = ceil(self.count / rows)
        padded = np.bincount(numbers, minlength=panels * rows)
        by_panel = padded.reshape(panels, 1, rows, *(1,) * len(block))
        out = np.empty((panels, columns, rows, *block), np.int64)
        out[...] = by_panel
        return out.reshape(panels * columns, rows, *block)

    def cost(self, sizes: Sizes) -> Cost:
        x, out = self.children[0].out.bind(sizes), self.out.bind(sizes)
        column = x.grid[0] * prod(x.block_numbers)  # one column of blocks, in order of segment
        itemsize = storage_dtype(x.dtype).itemsize
        # Sums are formed in float64; the largest of some elements is one of them.
        adds = self.fn in ("sum", "mean")
        combined = min(x.numbers[0], self.count) * prod(x.block_numbers[1:])
        combined *= 8 if adds else itemsize
        numbers = 6 * 8 * x.numbers[0]
        wide = 0 if self.fn == "count" else column * (itemsize + 8 * adds) + combined
        return Cost(
            flops=0 if self.fn == "count" else prod(x.numbers),
            read=self.input_nbytes(sizes),
            written=out.nbytes,
            scratch=wide + numbers + (8 * self.count if self.fn == "count" else 0),
        )

    def detail(self) -> str:
        return f"{self.fn} of {self.count} segments"
