"""Attention's softmax over blocks: pairs of rows that share a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np

from gpudb.backend import Array, Backend
from gpudb.exec.batch import Keys, grid_keys
from gpudb.exec.missing import key_grid, take_blocks
from gpudb.exec.operator import Context, Cost, Joined, Pairing, PhysicalOp
from gpudb.exec.pairs import find
from gpudb.kernels.sequence_softmax import sequence_softmax
from gpudb.keys import in_shared_sequences, matching
from gpudb.types import HostArray, Sizes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SequenceSoftmaxBlocks(PhysicalOp):
    """``(n, r, h, c)`` -> ``(m, r, h, c)``: only blocks in which some pair shares a sequence.

    ``joined.rows`` is (number of each block in the input, or -1; first block of each group of
    equal rows and heads; sequence of each row; sequence of each column).
    """

    offsets: tuple[int, ...]

    def join(self, backend: Backend, *keys: Keys) -> Joined:
        wanted = grid_keys(self.out)
        step, blocks = self.out.block_numbers[0], key_grid(self.out)[0]
        sequences = _sequence_of_rows(self.offsets, step * blocks).reshape(blocks, step)
        wanted = wanted[matching(wanted, (in_shared_sequences(self.offsets, step),))]
        grid = key_grid(self.out)
        changed = np.any(np.diff(wanted[:, :2], axis=0, prepend=-1) != 0, axis=1)
        rows = sequences[wanted[:, 0]]
        columns = np.where(sequences < 0, -2, sequences)[wanted[:, 2]]  # padding meets nothing
        return Joined(
            wanted,
            (find(keys[0], wanted, grid), np.flatnonzero(changed), rows, columns),
            Pairing(len(wanted), prod(grid) - len(wanted)),
        )

    def run(self, ctx: Context, joined: Joined, *inputs: Array) -> Array:
        numbers, starts, rows, columns = joined.rows
        x = take_blocks(ctx.backend, inputs[0], numbers)
        return ctx.backend.call(sequence_softmax, x, starts, rows, columns)

    def cost(self, sizes: Sizes) -> Cost:
        out = self.out
        return Cost(
            flops=5 * prod(out.numbers),
            read=self.input_nbytes(sizes),
            written=out.nbytes,
            scratch=3 * out.nbytes,
        )

    def detail(self) -> str:
        return f"two-level, {len(self.offsets) - 1} sequences"

    @property
    def takes_missing(self) -> bool:
        return True


def _sequence_of_rows(offsets: tuple[int, ...], rows: int) -> HostArray:
    """Number of each row's sequence, -1 for rows past the last."""
    sequences = np.full(rows, -1, np.int64)
    for number, (start, stop) in enumerate(pairwise(offsets)):
        sequences[start:stop] = number
    return sequences
