"""One head's queries, keys and values as the factors of its two products.

Keys of a head are packed like the weights of a product, transposed; values as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpudb.backend.jit.compiled.arrays import array_at, at
from gpudb.backend.jit.compiled.lanes import transpose
from gpudb.backend.jit.compiled.llvm import LANES
from gpudb.backend.jit.compiled.part import part
from gpudb.backend.jit.compiled.tile import COLUMNS
from gpudb.backend.jit.compiled.vectors import (
    load_up_to,
    splat,
    store,
    store_bfloat16,
    store_pairs,
    store_up_to,
)
from gpudb.types import HostArray

_ZERO, _ONE = np.float32(0), np.float32(1)
HALF = 2
"""Bytes of a bfloat16."""


@part
def copy_rows(
    x: HostArray,
    first: int,
    column: int,
    width: int,
    bias: HostArray,
    at_bias: int,
    scale: Any,
    out: HostArray,
) -> None:
    """``(x + bias) * scale``: rows from ``first`` on, one head's columns.

    Rows of bfloat16 are whole vectors, with zeros behind the last column.
    """
    for i in range(out.shape[0]):
        for j in range(0, width, LANES):
            left = width - j
            value = load_up_to(at(x, (first + i, column + j)), left)
            if len(bias):
                value = value + load_up_to(at(bias, (at_bias + j,)), left)
            value = value * splat(scale)
            if out.itemsize == HALF:
                store_bfloat16(at(out, (i, j)), value)
            else:
                store_up_to(at(out, (i, j)), value, left)


@part
def pack_values(
    x: HostArray,
    first: int,
    count: int,
    column: int,
    width: int,
    bias: HostArray,
    at_bias: int,
    out: HostArray,
) -> None:
    """``x + bias`` -> panels of columns side by side, zeros behind the last column and row."""
    for p in range(out.shape[0]):
        for v in range(0, COLUMNS, LANES):
            j = min(p * COLUMNS + v, width)
            left = width - j
            added = load_up_to(at(bias, (at_bias + j,)), left) if len(bias) else splat(_ZERO)
            for i in range(out.shape[1]):
                if out.itemsize == HALF:
                    row = first + 2 * i
                    value = load_up_to(at(x, (row, column + j)), left) + added
                    below = splat(_ZERO)
                    if 2 * i + 1 < count:
                        below = load_up_to(at(x, (row + 1, column + j)), left) + added
                    store_pairs(at(out, (p, i, 2 * v)), value, below)
                else:
                    value = load_up_to(at(x, (first + i, column + j)), left)
                    store(at(out, (p, i, v)), value + added)


@part
def pack_keys(
    x: HostArray,
    first: int,
    count: int,
    column: int,
    width: int,
    some: HostArray,
    panels: HostArray,
) -> None:
    """``(count, width)`` -> ``(panels, steps, COLUMNS)``, transposed: zeros behind the last row.

    A step is a number, or a pair of bfloat16 in the bits of one. ``some`` holds the rows that are
    rounded, or not a whole block.
    """
    for p in range(panels.shape[0]):
        for v in range(0, COLUMNS, LANES):
            i = p * COLUMNS + v
            rows = max(0, min(LANES, count - i))
            place, step = at(x, (first + i, column)), x.strides[0]
            if rows < LANES or some.itemsize == HALF:
                if rows < LANES:
                    some[:] = 0
                copy_rows(x, first + i, column, width, x[0, :0], 0, _ONE, some[:rows])
                place, step = at(some, (0, 0)), some.strides[0]
            _transpose_rows(place, step, panels.shape[1], panels, p, v)


@part
def _transpose_rows(place: int, step: int, width: int, panels: HostArray, p: int, v: int) -> None:
    """``LANES`` rows as columns of a panel; ``step`` is the bytes from row to row."""
    whole = width // LANES * LANES
    for j in range(0, whole, LANES):
        transpose(place + 4 * j, step, at(panels, (p, j, v)), panels.strides[1])
    for lane in range(LANES):
        row = array_at(place + lane * step, np.float32, (width,))
        for j in range(whole, width):
            panels[p, j, v + lane] = row[j]
