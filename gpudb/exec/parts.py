"""Cut the work of an operator into parts that fit: what operators share when they do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from gpudb.exec.chunks import scratch_nbytes
from gpudb.exec.operator import Joined, Part, PhysicalOp
from gpudb.types import HostArray, Sizes

NO_SIZES: Sizes = {}
"""Only plans without named extents are run in parts."""


def whole_part(op: PhysicalOp, joined: Joined, inputs: Sequence[Joined]) -> Part:
    """All of the work at once, over inputs that are there as a whole."""
    rows = tuple(
        np.arange(len(given.keys) if op.takes_missing else child.out.blocks)
        for given, child in zip(inputs, op.children, strict=True)
    )
    read = sum(len(r) * child.out.block_nbytes for r, child in zip(rows, op.children, strict=True))
    made = len(joined.keys) * op.out.block_nbytes + op.cost(NO_SIZES).scratch
    return Part(0, len(joined.keys), joined, rows, read + made)


def equal_parts(blocks: int, block_nbytes: int, room: int) -> Iterator[tuple[int, int]]:
    """First and last of each stretch of blocks that take ``block_nbytes`` each while they are made.

    At least one block at a time; a single empty stretch where there are none.
    """
    step = max(1, room // max(1, block_nbytes))
    for first in range(0, max(1, blocks), step):
        yield first, min(blocks, first + step)


def block_parts(
    op: PhysicalOp, joined: Joined, room: int, scratch: tuple[int, int] | None = None
) -> list[Part]:
    """Parts of an operator that needs at most one block of each input for a block of its result.

    ``joined.rows`` says which, for each input, -1 for zeros; empty where the keys are the same.
    ``scratch`` is bytes at any time and bytes for each block; None for all of the operator's cost.
    """
    always, each = (op.cost(NO_SIZES).scratch, 0) if scratch is None else scratch
    block = op.out.block_nbytes + each + sum(child.out.block_nbytes for child in op.children)
    parts = []
    for first, last in equal_parts(len(joined.keys), block, room - always):
        keys = joined.keys[first:last]
        if joined.rows:
            chosen, places = zip(*(renumber(r[first:last]) for r in joined.rows), strict=True)
        else:
            chosen, places = (np.arange(first, last),) * len(op.children), ()
        nbytes = always + (last - first) * (op.out.block_nbytes + each) + _read(op, chosen)
        parts.append(Part(first, last, Joined(keys, places), chosen, nbytes))
    return parts


def group_parts(
    op: PhysicalOp, joined: Joined, room: int, row_nbytes: int, always: int = 0
) -> list[Part] | None:
    """Parts of an operator that sums, for each block of its result, what it makes of some rows.

    ``joined.rows`` is (block of each input for each row…, first row of each result block). Where
    one result block needs more than there is room for, its rows are added up some at a time.
    ``row_nbytes`` are held for each row beside the inputs' blocks, ``always`` beside all of that.
    """
    *rows, starts = joined.rows
    if not len(starts):
        return None
    room -= always
    made = op.out.block_nbytes
    bounds = [*starts.tolist(), len(rows[0])]
    longest = max(stop - start for start, stop in pairwise(bounds))
    row = row_nbytes + sum(child.out.block_nbytes for child in op.children)
    # A result block is there twice while parts are put together, and once more while it is added.
    whole = longest * row + 2 * made
    group = max(1, room // whole)
    most = len(rows[0]) if whole <= room else max(1, (room - 3 * made) // row)
    parts = []
    for first in range(0, len(starts), group):
        last = min(first + group, len(starts))
        for begin in range(bounds[first], bounds[last], most):
            end = min(begin + most, bounds[last])
            chosen, places = zip(*(renumber(r[begin:end]) for r in rows), strict=True)
            adds = begin > bounds[first]
            groups = starts[first:last] - bounds[first]
            gathered = scratch_nbytes(end - begin, min(longest, end - begin), row_nbytes, 0)
            nbytes = always + _read(op, chosen) + gathered + (2 + adds) * made * (last - first)
            part = Joined(joined.keys[first:last], (*places, groups))
            parts.append(Part(first, last, part, chosen, nbytes, adds))
    return parts


def _read(op: PhysicalOp, chosen: Sequence[HostArray]) -> int:
    return sum(len(r) * c.out.block_nbytes for r, c in zip(chosen, op.children, strict=True))


def renumber(rows: HostArray) -> tuple[HostArray, HostArray]:
    """The distinct numbers, rising, and for each of ``rows`` its place among them; -1 stays."""
    distinct, places = np.unique(rows, return_inverse=True)
    if len(distinct) and distinct[0] < 0:
        return distinct[1:], places - 1
    return distinct, places
